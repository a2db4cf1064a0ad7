{
  "targets": [
    {
      "target_name": "<(module_name)",
      "sources": ["native.c", "events.c", "bus.c"],
      "defines": ["NAPI_VERSION=<(napi_build_version)"],
      "cflags": ["-std=gnu11", "-Wall", "-Wextra", "-Werror=implicit-function-declaration", "-fvisibility=hidden"],
      "cflags_c!": ["-std=gnu99"],
      "ldflags": ["-Wl,-z,now"]
    },
    {
      "target_name": "placed",
      "type": "none",
      "dependencies": ["<(module_name)"],
      "copies": [{ "files": ["<(PRODUCT_DIR)/<(module_name).node"], "destination": "<(module_path)" }]
    }
  ]
}
