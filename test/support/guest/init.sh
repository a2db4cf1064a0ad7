#!/bin/sh
# The first process of a guest. Its root is a directory of the host, read-only, under a layer of RAM that is gone with the guest; the one
# place of the host it can write to is /share. Runs /share/run.sh and ends the machine with what that ended with in /share/status.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "$module" || echo "init: $module can not be loaded"; done </modules/order

by9p=trans=virtio,version=9p2000.L,msize=512000
mount -t 9p -o $by9p,ro,cache=loose host /host || { echo 'init: no root'; poweroff -f; }
mount -t tmpfs writes /writes
mkdir /writes/upper /writes/work
mount -t overlay -o lowerdir=/host,upperdir=/writes/upper,workdir=/writes/work overlay /root
mkdir -p /root/proc /root/sys /root/dev /root/run /root/share /root/tmp
mount --move /dev /root/dev
mount -t proc proc /root/proc
mount -t sysfs sys /root/sys
mount -t tmpfs run /root/run
mkdir -p /root/dev/pts /root/dev/shm /root/run/bin /root/dev/virtio-ports
mount -t devpts pts /root/dev/pts
mount -t tmpfs shm /root/dev/shm
mount -t 9p -o $by9p share /root/share || { echo 'init: no share'; poweroff -f; }
cp /bin/busybox /root/run/bin/busybox
mkdir -p "/root/lib/modules/$(uname -r)"
mount -t 9p -o $by9p,ro,cache=loose kernel "/root/lib/modules/$(uname -r)"
for directory in $(sed -n 's/.*bench\.exports=\([^ ]*\).*/\1/p' /proc/cmdline | tr , ' '); do
  mkdir -p "/root/$directory"
  mount -t 9p -o $by9p,ro,cache=loose "$directory" "/root/$directory"
done
cat >/root/run/first.sh <<'F'
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/bin
export HOME=/tmp
# A root that has no programs of its own finds these.
/run/bin/busybox --install -s /run/bin
for port in /sys/class/virtio-ports/*; do ln -s "/dev/${port##*/}" "/dev/virtio-ports/$(cat "$port/name")"; done
read -r up _ </proc/uptime
echo "init: running after $up s"
/run/bin/busybox sh /share/run.sh
status=$?
echo "init: ended with $status"
echo $status >/share/status
/run/bin/busybox sync
/run/bin/busybox poweroff -f
F
umount /proc /sys
exec switch_root /root /run/bin/busybox sh /run/first.sh
