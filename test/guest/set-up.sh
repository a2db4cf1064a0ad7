# Makes the guest's devices: modules, a USB gadget with a HID and a serial function, an I2C sensor, a radio. Source: Linux,
# Documentation/usb/gadget_configfs.rst, Documentation/i2c/i2c-stub.rst.
for module in xhci_pci usbhid hid_generic uhid evdev ftdi_sio cdc_acm dummy_hcd libcomposite usb_f_hid usb_f_acm i2c_dev hci_vhci algif_skcipher; do
  busybox modprobe $module || echo "set-up: no module $module"
done
busybox modprobe i2c_stub chip_addr=0x5a || echo 'set-up: no module i2c_stub'

busybox mount -t configfs none /sys/kernel/config
gadget=/sys/kernel/config/usb_gadget/scanner
mkdir -p $gadget && cd $gadget
echo 0x0c2e >idVendor
echo 0x0b81 >idProduct
echo 0x0200 >bcdUSB
mkdir -p strings/0x409 functions/hid.usb0 functions/hid.usb1 functions/acm.usb0 configs/c.1
echo bench-1 >strings/0x409/serialnumber
echo Bench >strings/0x409/manufacturer
echo 'Bench scanner' >strings/0x409/product
echo 0 >functions/hid.usb0/protocol
echo 0 >functions/hid.usb0/subclass
echo 64 >functions/hid.usb0/report_length
cat /share/pos.descriptor >functions/hid.usb0/report_desc
echo 1 >functions/hid.usb1/protocol
echo 1 >functions/hid.usb1/subclass
echo 8 >functions/hid.usb1/report_length
cat /share/keyboard.descriptor >functions/hid.usb1/report_desc
ln -s functions/hid.usb0 functions/hid.usb1 functions/acm.usb0 configs/c.1/
cd /

# MLX90614 (datasheet, table 8): ambient temperature in 0x06, object in 0x07, steps of 0.02 K. 22.01 °C; and the room before it.
for bus in /sys/class/i2c-dev/i2c-*; do
  if grep -q 'SMBus stub' $bus/name; then i2c=${bus##*/i2c-}; fi
done
busybox i2cset -y $i2c 0x5a 0x06 14758 w
busybox i2cset -y $i2c 0x5a 0x07 14758 w
export I2C_BUS=$i2c

# udev is not installed here, only unpacked. It hears of what is plugged in from now on, and is asked for the names of what is there.
export LD_LIBRARY_PATH=/udev/usr/lib/x86_64-linux-gnu:/udev/lib/x86_64-linux-gnu
mkdir -p /lib/udev
cp -r /udev/lib/udev/* /lib/udev/
for program in udevadm systemd-udevd; do ln -sf /udev/bin/udevadm /run/bin/$program; done
systemd-udevd --daemon
udevadm trigger --action=add --sysname-match='ttyUSB*'
udevadm settle
