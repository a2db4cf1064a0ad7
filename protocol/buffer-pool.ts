/**
 * Imported by what runs for months. Node cuts small buffers from a pool, and one that is held keeps all that it was cut from: 64 KiB since
 * Node 24, 8 before. MQTT.js and aedes hold one for each length of a packet that they ever wrote, up to 16,383 (mqtt-packet, writeToStream.js).
 */
Buffer.poolSize = 8_192;
