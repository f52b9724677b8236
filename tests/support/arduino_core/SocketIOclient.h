#pragma once
#include "Arduino.h"

enum socketIOmessageType_t { sIOtype_CONNECT = '0', sIOtype_DISCONNECT = '1', sIOtype_EVENT = '2', sIOtype_ACK = '3' };
struct SocketIOclient {
  void begin(const char* host, uint16_t port, const char* url);
  void setExtraHeaders(const char* headers);
  void onEvent(void (*told)(socketIOmessageType_t, uint8_t*, size_t));
  bool send(socketIOmessageType_t type, const char* payload);
  bool sendEVENT(const char* payload);
  void loop();
};
