#pragma once
#include "Arduino.h"

struct HTTPClient {
  bool begin(String url);
  void addHeader(const char* name, String value);
  int POST(String body);
  void end();
};
