#pragma once
#include "Arduino.h"

struct TwoWire {
  void begin();
  void beginTransmission(int address);
  void write(int byte);
  int endTransmission(bool stop);
  int requestFrom(int address, int bytes);
  int read();
};
extern TwoWire Wire;
