"""MQTT: sensors come in through a broker, and Home Assistant is served through one."""
