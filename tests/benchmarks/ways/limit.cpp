// The limit: the Pospischil cell written by hand for one processor's vectors, stepped by the staggered exponential Euler
// scheme with keyed noise. A few neurons at a time go through all time steps, so that nothing leaves the registers and the
// first cache. Reads parameters and currents, times itself, writes the time and the voltage.
//
//     limit N SAMPLES STEPS_A_SAMPLE SWEEPS DT < doubles > doubles
//     in:  parameters [14][N], current [SAMPLES][SWEEPS]      out: seconds, voltage [N][SAMPLES]
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

typedef REAL real;
constexpr int W = WIDTH;

static inline real x_over_exp_minus_1(real x) {
    const real y = std::exp(x);
    return std::fabs(x) < real(sizeof(real) == 8 ? 1e-5 : 3e-3) ? 1 - real(.5)*x : x/(y - 1);
}

int main(int, char** arg) {
    const int n = atoi(arg[1]), samples = atoi(arg[2]), every = atoi(arg[3]), sweeps = atoi(arg[4]);
    const real dt = atof(arg[5]);
    enum { C, G_LEAK, E_LEAK, G_NA, G_K, G_M, TAU_MAX, V_T, RATE, SIGMA, OFFSET, R_S, E_NA, E_K, PARAMETERS };
    std::vector<double> given(PARAMETERS*n), command(samples*sweeps);
    if (fread(given.data(), 8, given.size(), stdin) != given.size()) return 1;
    if (fread(command.data(), 8, command.size(), stdin) != command.size()) return 1;
    std::vector<float> out((size_t)n*samples), block((size_t)samples*W);
    const clock_t start = clock();
    for (int first = 0; first < n; first += W) {
        real k[PARAMETERS][W], v[W], m[W], h[W], q[W], p[W];
        uint64_t key[W];
        for (int l = 0; l < W; l++) {
            for (int j = 0; j < PARAMETERS; j++) k[j][l] = given[j*n + first + l];
            k[C][l] = 1/k[C][l];
            k[SIGMA][l] *= k[C][l]/std::sqrt(dt);
            for (int j : {G_LEAK, G_NA, G_K, G_M}) k[j][l] *= k[C][l];
            k[TAU_MAX][l] = 1/k[TAU_MAX][l];
            key[l] = (first + l)*0xD1B54A32D192ED03ULL;
            v[l] = k[E_LEAK][l]; m[l] = 0; h[l] = 1; q[l] = 0; p[l] = 0;
        }
        for (int s = 0; s < samples; s++) {
            real current[W];
            for (int l = 0; l < W; l++) current[l] = command[(size_t)s*sweeps + (first + l)%sweeps];
            for (int l = 0; l < W; l++) block[(size_t)s*W + l] = v[l] + k[OFFSET][l] + k[R_S][l]*current[l];
            for (int i = 0; i < every; i++) {
                const uint64_t step = (uint64_t)(s*every + i)*0x9E3779B97F4A7C15ULL;
                #pragma omp simd
                for (int l = 0; l < W; l++) {
                    uint64_t z = key[l] + step;
                    z = (z ^ (z >> 30))*0xBF58476D1CE4E5B9ULL;
                    z = (z ^ (z >> 27))*0x94D049BB133111EBULL;
                    z ^= z >> 31;
                    const real u = ((real)(int32_t)(z >> 33) + real(.5))*real(1/2147483648.);
                    const real turn = (real)(int32_t)(z & 0x7FFFFFFF)*real(6.283185307179586/2147483648.);
                    const real noise = std::sqrt(-2*std::log(u))*std::cos(turn);
                    const real g_na = k[G_NA][l]*m[l]*m[l]*m[l]*h[l];
                    const real g_k = k[G_K][l]*q[l]*q[l]*q[l]*q[l] + k[G_M][l]*p[l];
                    const real g = g_na + g_k + k[G_LEAK][l];
                    const real inward = g_na*k[E_NA][l] + g_k*k[E_K][l] + k[G_LEAK][l]*k[E_LEAK][l];
                    const real v_inf = (inward + k[C][l]*current[l] + k[SIGMA][l]*noise)/g;
                    v[l] = v_inf + (v[l] - v_inf)*std::exp(-g*dt);
                    const real x = v[l] - k[V_T][l], rate = k[RATE][l];
                    const real a_m = real(1.28)*x_over_exp_minus_1((13 - x)*real(.25));
                    const real s_m = a_m + real(1.4)*x_over_exp_minus_1((x - 40)*real(.2)), m_inf = a_m/s_m;
                    m[l] = m_inf + (m[l] - m_inf)*std::exp(-rate*s_m*dt);
                    const real a_h = real(.128)*std::exp((17 - x)*real(1/18.));
                    const real s_h = a_h + 4/(1 + std::exp((40 - x)*real(.2))), h_inf = a_h/s_h;
                    h[l] = h_inf + (h[l] - h_inf)*std::exp(-rate*s_h*dt);
                    const real a_n = real(.16)*x_over_exp_minus_1((15 - x)*real(.2));
                    const real s_n = a_n + real(.5)*std::exp((10 - x)*real(.025)), n_inf = a_n/s_n;
                    q[l] = n_inf + (q[l] - n_inf)*std::exp(-rate*s_n*dt);
                    const real e = std::exp((v[l] + 35)*real(.05)), back = 1/e;
                    const real p_inf = 1/(1 + back*back);
                    p[l] = p_inf + (p[l] - p_inf)*std::exp(-(real(3.3)*e + back)*k[TAU_MAX][l]*dt);
                }
            }
        }
        for (int l = 0; l < W; l++)
            for (int s = 0; s < samples; s++) out[(size_t)(first + l)*samples + s] = block[(size_t)s*W + l];
    }
    const double seconds = double(clock() - start)/CLOCKS_PER_SEC;
    fwrite(&seconds, 8, 1, stdout);
    fwrite(out.data(), 4, out.size(), stdout);
}
