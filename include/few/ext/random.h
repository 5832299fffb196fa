/* few/ext/random.h - purposes of random numbers.
 *
 * Random numbers are counter-based: a number is a function of (seed, purpose, step, row, element)
 * and of nothing else. Two uses with one purpose get the same numbers; uses that must be
 * independent need purposes of their own. A purpose is never given another meaning, so that runs
 * of earlier versions stay reproducible.
 */
#ifndef FEW_EXT_RANDOM_H
#define FEW_EXT_RANDOM_H

enum few_rng_purpose {
  FEW_RNG_INIT = 1,            /* initial values of parameters */
  FEW_RNG_SHUFFLE = 2,         /* order of the data */
  FEW_RNG_TIME = 3,            /* t of a training row */
  FEW_RNG_NOISE = 4,           /* z of a training row */
  FEW_RNG_LABEL_DROP = 5,      /* label dropout for classifier-free guidance */
  FEW_RNG_GUIDANCE = 6,        /* guidance scale of a row */
  FEW_RNG_AUGMENT = 7,         /* flips */
  FEW_RNG_SAMPLE = 8,          /* a sampler's starting noise and fresh noise */
  FEW_RNG_CLASS = 9,           /* labels drawn for sampling */
  FEW_RNG_TOY = 10,            /* points of a 2-D toy */
  FEW_RNG_CHECK = 11,          /* directions of the derivative checker, test data */
  FEW_RNG_BOOTSTRAP = 12,      /* resampling for error bars */
  FEW_RNG_WARP = 13,           /* augmentation of a training row */
  FEW_RNG_GENERATOR = 20,      /* noise that a generator's images are made of */
  FEW_RNG_GENERATOR_MID = 21,  /* fresh noise of its second step */
  FEW_RNG_GENERATOR_PICK = 22, /* whether a row has a second step */
  FEW_RNG_NOISE_REAL = 23,     /* z of the data beside a generator's images */
  FEW_RNG_STEP_SIZE = 30,      /* step size of a training row, or whether it has one */
  FEW_RNG_STEP_TIME = 31,      /* where the step begins or ends on its grid */
  FEW_RNG_STEP_OTHER = 32,     /* a time of a row besides the ends of its step */
  FEW_RNG_EXT = 128,           /* 128 to 255: for components from outside the library */
  FEW_RNG_DROPOUT = 256        /* + index of the dropout layer */
};

#endif
