/*
 * A small Firmata for kiosk boards: digital and analog pins, pulses, and I2C reads with or without a stop. For an Arduino Uno, Nano, Mega or
 * Leonardo; StandardFirmata 2.5 or later serves as well. What this one does better: it speaks 2 s earlier after its start (it blinks no
 * version), and a bus whose wires are shorted costs 25 ms instead of stopping the board (Wire's time limit).
 *
 * Source: Firmata protocol 2.6 (github.com/firmata/protocol: protocol.md, i2c.md); Arduino reference (Wire, setWireTimeout).
 */
#include <Wire.h>

static const uint8_t PROTOCOL_MAJOR = 2, PROTOCOL_MINOR = 6;
static const uint8_t SKETCH_MAJOR = 1, SKETCH_MINOR = 0;
static const char SKETCH_NAME[] = "VestibuleKioskBoard.ino";
static const unsigned long BAUD_RATE = 57600;

enum Command : uint8_t {
  DIGITAL_MESSAGE = 0x90,
  REPORT_ANALOG = 0xC0,
  REPORT_DIGITAL = 0xD0,
  ANALOG_MESSAGE = 0xE0,
  SYSEX_START = 0xF0,
  SET_PIN_MODE = 0xF4,
  SET_DIGITAL_PIN = 0xF5,
  SYSEX_END = 0xF7,
  REPORT_VERSION = 0xF9,
  SYSTEM_RESET = 0xFF,
};

enum Sysex : uint8_t {
  ANALOG_MAPPING_QUERY = 0x69,
  ANALOG_MAPPING_RESPONSE = 0x6A,
  CAPABILITY_QUERY = 0x6B,
  CAPABILITY_RESPONSE = 0x6C,
  PIN_STATE_QUERY = 0x6D,
  PIN_STATE_RESPONSE = 0x6E,
  EXTENDED_ANALOG = 0x6F,
  TEXT = 0x71,
  I2C_REQUEST = 0x76,
  I2C_REPLY = 0x77,
  I2C_CONFIG = 0x78,
  REPORT_FIRMWARE = 0x79,
  SAMPLING_INTERVAL = 0x7A,
};

enum Mode : uint8_t { MODE_INPUT = 0x00, MODE_OUTPUT = 0x01, MODE_ANALOG = 0x02, MODE_PWM = 0x03, MODE_I2C = 0x06, MODE_PULLUP = 0x0B };

static const uint8_t PINS = NUM_DIGITAL_PINS;
static const uint8_t CHANNELS = NUM_ANALOG_INPUTS;
static const uint8_t PORTS = (PINS + 7) / 8;
/* Pins 0 and 1 are the line to the kiosk. */
static const uint8_t FIRST_PIN = 2;
static const uint8_t NO_CHANNEL = 127;
/* A request of 24 bytes to an I2C device, as 7-bit pairs. */
static const uint8_t LONGEST_SYSEX = 56;
static const uint8_t LONGEST_I2C = 24;
static const uint32_t I2C_TIMEOUT_MICROSECONDS = 25000;

static uint8_t pinModes[PINS];
static uint8_t pinValues[PINS];
static bool isPortReported[PORTS];
static uint8_t reportedPorts[PORTS];
static uint16_t reportedChannels;
static uint16_t samplingMs;
static unsigned long sampledAtMs;
static bool isI2cOn;

/* The message that is being read: its first byte, and what followed. */
static uint8_t command;
static uint8_t body[LONGEST_SYSEX];
static uint8_t bodyLength;

static bool isUsable(uint8_t pin) { return pin >= FIRST_PIN && pin < PINS; }

static uint8_t channelOf(uint8_t pin) {
  for (uint8_t channel = 0; channel < CHANNELS; channel++) {
    if (analogInputToDigitalPin(channel) == pin) return channel;
  }
  return NO_CHANNEL;
}

static void writeSevens(uint8_t value) {
  Serial.write(value & 0x7F);
  Serial.write(value >> 7);
}

static void beginSysex(uint8_t kind) {
  Serial.write(SYSEX_START);
  Serial.write(kind);
}

static void endSysex() { Serial.write(SYSEX_END); }

static void reportVersion() {
  Serial.write(REPORT_VERSION);
  Serial.write(PROTOCOL_MAJOR);
  Serial.write(PROTOCOL_MINOR);
}

static void reportFirmware() {
  beginSysex(REPORT_FIRMWARE);
  Serial.write(SKETCH_MAJOR);
  Serial.write(SKETCH_MINOR);
  for (const char *letter = SKETCH_NAME; *letter != 0; letter++) writeSevens(*letter);
  endSysex();
}

static void say(const __FlashStringHelper *text) {
  beginSysex(TEXT);
  const char *letters = reinterpret_cast<const char *>(text);
  for (uint8_t letter; (letter = pgm_read_byte(letters)) != 0; letters++) writeSevens(letter);
  endSysex();
}

static void setMode(uint8_t pin, uint8_t mode) {
  if (!isUsable(pin)) return;
  switch (mode) {
    case MODE_INPUT: pinMode(pin, INPUT); break;
    case MODE_PULLUP: pinMode(pin, INPUT_PULLUP); break;
    case MODE_OUTPUT:
      digitalWrite(pin, LOW);
      pinMode(pin, OUTPUT);
      break;
    case MODE_PWM:
      if (!digitalPinHasPWM(pin)) return;
      pinMode(pin, OUTPUT);
      analogWrite(pin, 0);
      break;
    case MODE_ANALOG:
      if (channelOf(pin) == NO_CHANNEL) return;
      pinMode(pin, INPUT);
      break;
    default: return;
  }
  pinModes[pin] = mode;
  pinValues[pin] = mode == MODE_PULLUP;
}

static void setDigital(uint8_t pin, bool isHigh) {
  if (!isUsable(pin)) return;
  if (pinModes[pin] == MODE_OUTPUT) digitalWrite(pin, isHigh);
  /* Programs written before there was a mode for it pull a pin up by writing to an input. */
  else if (pinModes[pin] == MODE_INPUT) pinMode(pin, isHigh ? INPUT_PULLUP : INPUT);
  else return;
  pinValues[pin] = isHigh;
}

static void setPulses(uint8_t pin, uint16_t value) {
  if (!isUsable(pin) || pinModes[pin] != MODE_PWM) return;
  pinValues[pin] = value > 255 ? 255 : value;
  analogWrite(pin, pinValues[pin]);
}

static uint8_t readPort(uint8_t port) {
  uint8_t value = 0;
  for (uint8_t bit = 0; bit < 8; bit++) {
    const uint8_t pin = port * 8 + bit;
    if (isUsable(pin) && (pinModes[pin] == MODE_INPUT || pinModes[pin] == MODE_PULLUP) && digitalRead(pin)) value |= 1 << bit;
  }
  return value;
}

static void sendPort(uint8_t port, uint8_t value) {
  reportedPorts[port] = value;
  Serial.write(DIGITAL_MESSAGE | port);
  writeSevens(value);
}

static void reset() {
  if (isI2cOn) Wire.end();
  isI2cOn = false;
  samplingMs = 19;
  reportedChannels = 0;
  for (uint8_t port = 0; port < PORTS; port++) isPortReported[port] = false;
  for (uint8_t pin = FIRST_PIN; pin < PINS; pin++) setMode(pin, channelOf(pin) == NO_CHANNEL ? MODE_INPUT : MODE_ANALOG);
}

static void answerCapabilities() {
  beginSysex(CAPABILITY_RESPONSE);
  for (uint8_t pin = 0; pin < PINS; pin++) {
    if (isUsable(pin)) {
      const uint8_t digital[] = {MODE_INPUT, 1, MODE_PULLUP, 1, MODE_OUTPUT, 1};
      Serial.write(digital, sizeof digital);
      if (channelOf(pin) != NO_CHANNEL) {
        Serial.write(MODE_ANALOG);
        Serial.write(10);
      }
      if (digitalPinHasPWM(pin)) {
        Serial.write(MODE_PWM);
        Serial.write(8);
      }
      if (pin == SDA || pin == SCL) {
        Serial.write(MODE_I2C);
        Serial.write(1);
      }
    }
    Serial.write(127);
  }
  endSysex();
}

static void answerAnalogMapping() {
  beginSysex(ANALOG_MAPPING_RESPONSE);
  for (uint8_t pin = 0; pin < PINS; pin++) Serial.write(channelOf(pin));
  endSysex();
}

static void answerPinState(uint8_t pin) {
  beginSysex(PIN_STATE_RESPONSE);
  Serial.write(pin);
  if (isUsable(pin)) {
    Serial.write(pinModes[pin]);
    writeSevens(pinValues[pin]);
  } else {
    Serial.write(127);
    Serial.write((uint8_t)0);
  }
  endSysex();
}

static uint8_t pairAt(uint8_t at) { return body[at] | (body[at + 1] << 7); }

/* Mode byte: bits 3 and 4: 0 write, 1 read once; bit 6: no stop between the register and the read; bit 5: 10-bit address, not served. */
static void answerI2c() {
  if (!isI2cOn || bodyLength < 3 || (body[2] & 0x20) != 0) return;
  const uint8_t address = body[1];
  const uint8_t mode = (body[2] >> 3) & 0x03;
  if (mode == 0) {
    Wire.beginTransmission(address);
    for (uint8_t at = 3; at + 1 < bodyLength; at += 2) Wire.write(pairAt(at));
    Wire.endTransmission();
    return;
  }
  if (mode != 1 || bodyLength < 5) return;
  const bool hasRegister = bodyLength >= 7;
  const uint8_t reg = hasRegister ? pairAt(3) : 0;
  uint8_t length = pairAt(hasRegister ? 5 : 3);
  if (length > LONGEST_I2C) length = LONGEST_I2C;
  if (hasRegister) {
    Wire.beginTransmission(address);
    Wire.write(reg);
    Wire.endTransmission((body[2] & 0x40) == 0);
  }
  const uint8_t came = Wire.requestFrom(address, length);
  if (Wire.getWireTimeoutFlag()) {
    Wire.clearWireTimeoutFlag();
    say(F("I2C: the bus hangs"));
  } else if (came < length) {
    say(F("I2C: Too few bytes received"));
  }
  beginSysex(I2C_REPLY);
  writeSevens(address);
  writeSevens(reg);
  while (Wire.available()) writeSevens(Wire.read());
  endSysex();
}

static void startI2c() {
  if (isI2cOn) return;
  Wire.begin();
  Wire.setWireTimeout(I2C_TIMEOUT_MICROSECONDS, true);
  isI2cOn = true;
}

static void obeySysex() {
  if (bodyLength == 0) return;
  switch (body[0]) {
    case REPORT_FIRMWARE: reportFirmware(); break;
    case CAPABILITY_QUERY: answerCapabilities(); break;
    case ANALOG_MAPPING_QUERY: answerAnalogMapping(); break;
    case PIN_STATE_QUERY:
      if (bodyLength >= 2) answerPinState(body[1]);
      break;
    case EXTENDED_ANALOG:
      if (bodyLength >= 4) setPulses(body[1], body[2] | (body[3] << 7));
      break;
    case SAMPLING_INTERVAL:
      if (bodyLength >= 3) samplingMs = max(10, body[1] | (body[2] << 7));
      break;
    case I2C_CONFIG: startI2c(); break;
    case I2C_REQUEST: answerI2c(); break;
  }
}

static void obeyShort() {
  const uint8_t low = body[0], high = body[1];
  const uint8_t which = command & 0x0F;
  if (command == SET_PIN_MODE) {
    setMode(low, high);
  } else if (command == SET_DIGITAL_PIN) {
    setDigital(low, high);
  } else if ((command & 0xF0) == DIGITAL_MESSAGE) {
    for (uint8_t bit = 0; bit < 8; bit++) setDigital(which * 8 + bit, ((low | (high << 7)) >> bit) & 1);
  } else if ((command & 0xF0) == ANALOG_MESSAGE) {
    setPulses(which, low | (high << 7));
  } else if ((command & 0xF0) == REPORT_ANALOG && which < CHANNELS) {
    reportedChannels = low ? reportedChannels | (1 << which) : reportedChannels & ~(1 << which);
  } else if ((command & 0xF0) == REPORT_DIGITAL && which < PORTS) {
    isPortReported[which] = low;
    if (low) sendPort(which, readPort(which));
  }
}

/* How many bytes follow a command; sysex ends by itself. */
static uint8_t lengthOf(uint8_t first) {
  const uint8_t kind = first < 0xF0 ? first & 0xF0 : first;
  if (kind == REPORT_ANALOG || kind == REPORT_DIGITAL) return 1;
  return kind == DIGITAL_MESSAGE || kind == ANALOG_MESSAGE || kind == SET_PIN_MODE || kind == SET_DIGITAL_PIN ? 2 : 0;
}

static void take(uint8_t byte) {
  if (byte == SYSEX_END && command == SYSEX_START) {
    /* One that was too long has been dropped: its length is past the buffer. */
    if (bodyLength <= LONGEST_SYSEX) obeySysex();
    command = 0;
  } else if (byte & 0x80) {
    command = byte;
    bodyLength = 0;
    if (byte == REPORT_VERSION) reportVersion();
    if (byte == SYSTEM_RESET) reset();
  } else if (command != 0) {
    if (bodyLength < LONGEST_SYSEX) body[bodyLength] = byte;
    if (bodyLength <= LONGEST_SYSEX) bodyLength++;
    if (command != SYSEX_START && bodyLength == lengthOf(command)) {
      obeyShort();
      command = 0;
    }
  }
}

void setup() {
  Serial.begin(BAUD_RATE);
  reset();
  reportVersion();
  reportFirmware();
}

void loop() {
  while (Serial.available()) take(Serial.read());
  for (uint8_t port = 0; port < PORTS; port++) {
    if (!isPortReported[port]) continue;
    const uint8_t value = readPort(port);
    if (value != reportedPorts[port]) sendPort(port, value);
  }
  if (reportedChannels == 0 || millis() - sampledAtMs < samplingMs) return;
  sampledAtMs = millis();
  for (uint8_t channel = 0; channel < CHANNELS && channel < 16; channel++) {
    if ((reportedChannels & (1 << channel)) == 0) continue;
    const uint16_t value = analogRead(channel);
    Serial.write(ANALOG_MESSAGE | channel);
    Serial.write(value & 0x7F);
    Serial.write(value >> 7);
  }
}
