// Mathematics without branches, tables or calls, so that a compiler can run it on a whole vector of neurons at a time.
//
// The compiler's own vector library is called for every exp, and each call empties the registers; written out here, the
// loop over neurons stays in one piece (a fifth of its time). It also makes a simulation independent of the library.
// Polynomials are minimax fits of the degree that their comment gives; their errors are relative.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

// What exp(x) is made of: with x = k ln 2 + r and |r| <= ln(2)/2, 2^k and exp(r) - 1.
template <typename T>
struct Parts { T scale, expm1; };

static inline Parts<double> exp_parts(double x) {
    x = x > 708.0 ? 708.0 : (x < -708.0 ? -708.0 : x);
    const double k = std::rint(x*1.4426950408889634);
    const double r = x - k*0.69314718055994531;
    double p = 2.7620075879983367e-07;  // (exp(r) - 1)/r, degree 9
    p = p*r + 2.7632640675430236e-06;
    p = p*r + 2.4801521322368693e-05;
    p = p*r + 1.9841190647544240e-04;
    p = p*r + 1.3888888917196719e-03;
    p = p*r + 8.3333333673116037e-03;
    p = p*r + 4.1666666666624162e-02;
    p = p*r + 1.6666666666615647e-01;
    p = p*r + 5.0000000000000010e-01;
    p = p*r + 1.0000000000000012e+00;
    const int64_t bits = (int64_t)((int32_t)k + 1023) << 52;
    double scale;
    std::memcpy(&scale, &bits, sizeof scale);
    return {scale, p*r};
}

static inline Parts<float> exp_parts(float x) {
    x = x > 87.0f ? 87.0f : (x < -87.0f ? -87.0f : x);
    const float k = std::rint(x*1.44269504f);
    // the high part of ln 2 has trailing zeros enough for k times it to be exact
    const float r = (x - k*0.693359375f) + k*2.12194440e-4f;
    float p = 1.3933641e-03f;  // (exp(r) - 1)/r, degree 5
    p = p*r + 8.3691485e-03f;
    p = p*r + 4.1666465e-02f;
    p = p*r + 1.6666505e-01f;
    p = p*r + 5.0000000e-01f;
    p = p*r + 1.0f;
    const int32_t bits = ((int32_t)k + 127) << 23;
    float scale;
    std::memcpy(&scale, &bits, sizeof scale);
    return {scale, p*r};
}

// exp(x), within (10 + |x|)*1e-16 (in float (1 + |x|)*2e-7); beyond +-708 (+-87) that of there, so that no rate becomes
// infinite.
template <typename T>
static inline T vector_exp(T x) {
    const Parts<T> part = exp_parts(x);
    return part.scale*part.expm1 + part.scale;
}

// exp(x) - 1, as good for a small x, where the scale is 1.
template <typename T>
static inline T vector_expm1(T x) {
    const Parts<T> part = exp_parts(x);
    return part.scale == T(1) ? part.expm1 : part.scale*part.expm1 + part.scale - T(1);
}

// (exp(x) - 1)/x. The ternaries become blends; one quotient at the end, so that the usual k/exprel(x) is a single division.
template <typename T>
static inline T vector_exprel(T x) {
    const bool zero = std::fabs(x) < T(1e-30);
    return (zero ? T(1) : vector_expm1(x))/(zero ? T(1) : x);
}

// C++ would do whole powers of floats in double precision.
static inline float pow(float x, int n) { return __builtin_powif(x, n); }

// log(u) for 0 < u <= 1, within 3e-11 (in float 2e-7).
static inline double vector_log(double u) {
    uint64_t bits;
    std::memcpy(&bits, &u, sizeof bits);
    // u = 2^k m with m between sqrt(1/2) and sqrt(2)
    const uint64_t shifted = bits + (0x3FF0000000000000ULL - 0x3FE6A09E667F3BCDULL);
    const int32_t k = (int32_t)(shifted >> 52) - 1023;
    const uint64_t mantissa = (shifted & 0x000FFFFFFFFFFFFFULL) + 0x3FE6A09E667F3BCDULL;
    double m;
    std::memcpy(&m, &mantissa, sizeof m);
    const double x = m - 1.0;
    double p = 5.2358885169237832e-02;  // log(1 + x)/x, degree 12
    p = p*x - 9.8044200677862028e-02;
    p = p*x + 1.0047205118889330e-01;
    p = p*x - 9.9459961867196613e-02;
    p = p*x + 1.1006038270379548e-01;
    p = p*x - 1.2495435324992145e-01;
    p = p*x + 1.4290811739428990e-01;
    p = p*x - 1.6667024572009080e-01;
    p = p*x + 1.9999888139973632e-01;
    p = p*x - 2.4999992728449305e-01;
    p = p*x + 3.3333334249206593e-01;
    p = p*x - 5.0000000035951705e-01;
    p = p*x + 9.9999999998746515e-01;
    return k*0.69314718055994531 + x*p;
}

static inline float vector_log(float u) {
    uint32_t bits;
    std::memcpy(&bits, &u, sizeof bits);
    const uint32_t shifted = bits + (0x3F800000U - 0x3F3504F3U);
    const int32_t k = (int32_t)(shifted >> 23) - 127;
    const uint32_t mantissa = (shifted & 0x007FFFFFU) + 0x3F3504F3U;
    float m;
    std::memcpy(&m, &mantissa, sizeof m);
    const float x = m - 1.0f;
    float p = 8.53331308e-2f;  // log(1 + x)/x, degree 8
    p = p*x - 1.42692582e-1f;
    p = p*x + 1.49774013e-1f;
    p = p*x - 1.65779929e-1f;
    p = p*x + 1.99559334e-1f;
    p = p*x - 2.50013522e-1f;
    p = p*x + 3.33341933e-1f;
    p = p*x - 4.99999964e-1f;
    p = p*x + 9.99999974e-1f;
    return k*0.693147181f + x*p;
}

// The square root of y > 0, within 1e-10: a first guess from the bits and three steps of Newton's, for the processor's
// own is slow in double precision.
static inline double vector_sqrt(double y) {
    uint64_t bits;
    std::memcpy(&bits, &y, sizeof bits);
    bits = 0x5FE6EB50C7B537A9ULL - (bits >> 1);
    double r;
    std::memcpy(&r, &bits, sizeof r);
    const double half = 0.5*y;
    r = r*(1.5 - half*r*r);
    r = r*(1.5 - half*r*r);
    r = r*(1.5 - half*r*r);
    return y*r;
}

static inline float vector_sqrt(float y) { return std::sqrt(y); }

// cos(2 pi f) for |f| <= 1/2, within 1e-10 (in float 1e-7).
static inline double vector_cos_turns(double f) {
    const double q = 0.25 - std::fabs(f), y = q*q;
    double p = -1.4393966295455941e+01;  // sin(2 pi q)/q in q^2, degree 5
    p = p*y + 4.2009779303153907e+01;
    p = p*y - 7.6704279876042621e+01;
    p = p*y + 8.1605226174029661e+01;
    p = p*y - 4.1341702116744000e+01;
    p = p*y + 6.2831853070722641e+00;
    return p*q;
}

static inline float vector_cos_turns(float f) {
    const float q = 0.25f - std::fabs(f), y = q*q;
    float p = 3.9759827e+01f;  // degree 4
    p = p*y - 7.6581173e+01f;
    p = p*y + 8.1602476e+01f;
    p = p*y - 4.1341681e+01f;
    p = p*y + 6.2831853e+00f;
    return p*q;
}

// A standard normal number for every key and step: splitmix64 (Steele et al. 2014) of the two, then Box-Muller. A
// simulation's noise is a function of its own key, whatever batch, order or worker it runs in.
template <typename T>
static inline T keyed_normal_of(double key, double step) {
    uint64_t z = (uint64_t)(int64_t)key*0xD1B54A32D192ED03ULL + (uint64_t)(int64_t)step*0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30))*0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27))*0x94D049BB133111EBULL;
    z ^= z >> 31;
    const T u = ((T)(int32_t)(z >> 33) + T(0.5))*T(1/2147483648.0);
    const T turn = (T)((int32_t)((uint32_t)z << 1) >> 1)*T(1/2147483648.0);
    return vector_sqrt(T(-2)*vector_log(u))*vector_cos_turns(turn);
}

static inline double keyed_normal_double(double key, double step) { return keyed_normal_of<double>(key, step); }
static inline float keyed_normal_single(double key, double step) { return keyed_normal_of<float>(key, step); }
