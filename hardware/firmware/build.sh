#!/usr/bin/env bash
# Builds the kiosk board's firmware for an Arduino Uno: build.sh <output.hex>. Needs gcc-avr, avr-libc and arduino-core-avr from Debian.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
hex=$(realpath -m "${1:?which file to write}")
core=/usr/share/arduino/hardware/arduino/avr
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags=(-mmcu=atmega328p -DF_CPU=16000000L -DARDUINO=10819 -DARDUINO_AVR_UNO -DARDUINO_ARCH_AVR -Os -ffunction-sections -fdata-sections
  -I"$core/cores/arduino" -I"$core/variants/standard" -I"$core/libraries/Wire/src")
# Debian's avr-libc declares what this compiler defines otherwise.
plus=(-std=gnu++14 -fno-exceptions -fno-threadsafe-statics -DDECIMAL_DIG=__DECIMAL_DIG__)
cd "$work"
avr-gcc "${flags[@]}" -w -std=gnu11 -c "$core"/cores/arduino/*.c "$core"/libraries/Wire/src/utility/*.c
avr-gcc "${flags[@]}" -w -x assembler-with-cpp -c "$core"/cores/arduino/*.S -o pulse.o
avr-g++ "${flags[@]}" "${plus[@]}" -w -c "$core"/cores/arduino/*.cpp "$core"/libraries/Wire/src/*.cpp
avr-g++ "${flags[@]}" "${plus[@]}" -Wall -Wextra -Werror -include Arduino.h -x c++ -c "$here"/kiosk-board/kiosk-board.ino -o sketch.o
avr-gcc -mmcu=atmega328p -Os -Wl,--gc-sections ./*.o -lm -o board.elf
avr-objcopy -O ihex -R .eeprom board.elf "$hex"
avr-size board.elf
