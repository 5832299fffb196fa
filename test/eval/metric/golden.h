/* golden.h - made by golden.py. */
enum { N = 200, M = 180, D = 12, CLASSES = 7 };
static const double golden_fd = 0.32773557783813745;
static const double golden_kid = 0.14547864133102628;
static const double golden_is = 2.3405735146964024;
static const double golden_precision = 0.9;
static const double golden_recall = 0.775;
static const double golden_density = 0.7355555555555555;
static const double golden_coverage = 0.79;
