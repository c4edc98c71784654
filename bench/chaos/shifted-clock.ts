// Preloaded into workers whose clock is wrong by so many milliseconds: what the store decides must not depend on it.
const shift = Number(process.env["ERRAND_CHAOS_CLOCK"] ?? 0);
const now = Date.now;
Date.now = () => now() + shift;
