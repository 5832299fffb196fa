# Kernels are compiled apart from the library's other files: once for each number type or processor.

# ---- ref: plain loops; every k_*.c twice, for float and double. ----
file(GLOB FEW_REF_KERNELS CONFIGURE_DEPENDS src/engine/backend/ref/k_*.c)
foreach(is_f64 0 1)
  add_library(few_ref_${is_f64} OBJECT ${FEW_REF_KERNELS})
  target_compile_definitions(few_ref_${is_f64} PRIVATE FEW_REAL_IS_F64=${is_f64})
  target_include_directories(few_ref_${is_f64} PRIVATE include src)
  list(APPEND FEW_OBJECTS $<TARGET_OBJECTS:few_ref_${is_f64}>)
endforeach()
target_sources(few_objects PRIVATE src/engine/backend/ref/table.c)
