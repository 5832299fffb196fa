/* grey.h - images of one grey byte, which identifies the file. */
#ifndef FEW_TEST_DATA_GREY_H
#define FEW_TEST_DATA_GREY_H

#include <png.h>

#include "files.h"

static inline void make_dirs(struct files *f, const char *name) {
  char path[700];
  snprintf(path, sizeof path, "%s/%s", f->dir, name);
  for (char *p = path + strlen(f->dir) + 1; *p; p++) {
    if (*p != '/') continue;
    *p = '\0';
    mkdir(path, 0700);
    *p = '/';
  }
}

static inline void image(struct files *f, const char *name, int v) {
  png_image image;
  uint8_t byte = (uint8_t)v;
  char path[700];
  make_dirs(f, name);
  memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.width = image.height = 1;
  image.format = PNG_FORMAT_GRAY;
  snprintf(path, sizeof path, "%s/%s", f->dir, name);
  if (!png_image_write_to_file(&image, path, 0, &byte, 0, NULL)) fail_msg("%s", image.message);
}

#endif
