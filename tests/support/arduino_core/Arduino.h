// What the sketch of docs/esp32.md uses of the ESP32's Arduino core: enough to compile it, nothing that runs.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
using std::isnan;

class String {
 public:
  String(const char*) {}
  String operator+(const char*) const { return *this; }
  String operator+(int) const { return *this; }
  const char* c_str() const { return ""; }
};

struct SerialPort {
  void begin(unsigned long) {}
  int printf(const char*, ...) __attribute__((format(printf, 2, 3)));
};
extern SerialPort Serial;

unsigned long millis();
int analogRead(int pin);
uint32_t esp_random();
void configTime(long offset_s, int daylight_s, const char* server);
