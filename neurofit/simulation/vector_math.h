// Mathematics without branches, tables or calls, so that a compiler can run it on a whole vector of neurons at a time.
//
// The compiler's own vector library is called for every exp, and each call empties the registers; written out here, the
// loop over neurons stays in one piece (a fifth of its time). It also makes a simulation independent of the library.
// Polynomials are minimax fits of the degree that their comment gives; their errors are relative.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

// exp(x), within (10 + |x|)*1e-16; beyond +-708 that of +-708, so that no rate becomes infinite.
static inline double vector_exp(double x) {
    x = x > 708.0 ? 708.0 : (x < -708.0 ? -708.0 : x);
    const double k = std::rint(x*1.4426950408889634);
    const double r = x - k*0.69314718055994531;
    double p = 2.7620075879983367e-07;  // (exp(r) - 1)/r for |r| <= ln(2)/2, degree 9
    p = p*r + 2.7632640675430236e-06;
    p = p*r + 2.4801521322368693e-05;
    p = p*r + 1.9841190647544240e-04;
    p = p*r + 1.3888888917196719e-03;
    p = p*r + 8.3333333673116037e-03;
    p = p*r + 4.1666666666624162e-02;
    p = p*r + 1.6666666666615647e-01;
    p = p*r + 5.0000000000000010e-01;
    p = p*r + 1.0000000000000012e+00;
    const int64_t bits = (int64_t)((int32_t)k + 1023) << 52;  // 2^k
    double scale;
    std::memcpy(&scale, &bits, sizeof scale);
    return scale*(p*r + 1.0);
}

// (exp(x) - 1)/x. The ternaries become blends; where they change over, both sides are good to 2e-11. One quotient at the
// end, so that the usual k/exprel(x) is a single division.
static inline double vector_exprel(double x) {
    const bool small = std::fabs(x) < 1e-5;
    return (small ? 1.0 + 0.5*x : vector_exp(x) - 1.0)/(small ? 1.0 : x);
}

// log(u) for 0 < u <= 1, within 3e-11.
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

// cos(2 pi f) for |f| <= 1/2, within 1e-10.
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

// A standard normal number for every key and step: splitmix64 (Steele et al. 2014) of the two, then Box-Muller. A
// simulation's noise is a function of its own key, whatever batch, order or worker it runs in.
static inline double keyed_normal(double key, double step) {
    uint64_t z = (uint64_t)(int64_t)key*0xD1B54A32D192ED03ULL + (uint64_t)(int64_t)step*0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30))*0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27))*0x94D049BB133111EBULL;
    z ^= z >> 31;
    const double u = ((double)(int32_t)(z >> 33) + 0.5)*(1/2147483648.0);
    const double turn = (double)(int32_t)(z & 0x7FFFFFFF)*(1/2147483648.0);
    return std::sqrt(-2.0*vector_log(u))*vector_cos_turns(turn - (turn > 0.5 ? 1.0 : 0.0));
}
