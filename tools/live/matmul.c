/* Matrix products for NumPy in a browser, where it has no BLAS: the two inner loops of np.matmul,
   float32 and float64, in WebAssembly's vectors of 16 bytes.

   c[i, j] = sum over k of a[i, k] b[k, j]. Each sum runs over k in NumPy's own order, from 0, and
   WebAssembly has no fused multiply-add, so that the results are NumPy's own, bit for bit. Faster
   are only the ways through memory: pieces of a (BLOCK rows by DEPTH columns) and of b (DEPTH rows
   by two vectors) are copied so that they lie in the order in which they are read, and a tile of
   c, four rows by two vectors, stays in registers while k runs.

   The arguments are those of a loop of a generalized ufunc: args are the addresses of a, b, c;
   dims is (outer, m, n, p); steps are the bytes from one outer product to the next for a, b, c,
   then from row to row and from column to column for a, b and c. `scratch` is room for the copies:
   see fast_matmul.py. Any strides may come, negative ones too. */

#include <wasm_simd128.h>

typedef long word; /* npy_intp: 32 bits here */

enum { BLOCK = 64, DEPTH = 256, ROWS = 4 };

#define AT(T, base, row, row_step, column, column_step) \
    (*(T *)((base) + (row) * (row_step) + (column) * (column_step)))

#define MATMUL(NAME, T, LANES, SPLAT, MUL, ADD)                                                   \
    void NAME(char **args, const word *dims, const word *steps, void *scratch) {                  \
        enum { WIDE = 2 * LANES };                                                                \
        const word outer = dims[0], m = dims[1], n = dims[2], p = dims[3];                        \
        const word a_row = steps[3], a_col = steps[4], b_row = steps[5], b_col = steps[6];        \
        const word c_row = steps[7], c_col = steps[8];                                            \
        char *a = args[0], *b = args[1], *c = args[2];                                            \
        T *pa = scratch, *pb = pa + BLOCK * DEPTH, *tile = pb + DEPTH * WIDE;                     \
        for (word o = 0; o < outer; o++, a += steps[0], b += steps[1], c += steps[2]) {           \
            for (word i = 0; i < m; i++)                                                          \
                for (word j = 0; j < p; j++) AT(T, c, i, c_row, j, c_col) = 0;                    \
            for (word k0 = 0; k0 < n; k0 += DEPTH) {                                              \
                const word depth = n - k0 < DEPTH ? n - k0 : DEPTH;                               \
                for (word i0 = 0; i0 < m; i0 += BLOCK) {                                          \
                    const word block = m - i0 < BLOCK ? m - i0 : BLOCK;                           \
                    for (word i = 0; i < block; i += ROWS)                                        \
                        for (word k = 0; k < depth; k++)                                          \
                            for (word r = 0; r < ROWS; r++)                                       \
                                pa[i * depth + ROWS * k + r] =                                    \
                                    i + r < block ? AT(T, a, i0 + i + r, a_row, k0 + k, a_col) : 0; \
                    for (word j = 0; j < p; j += WIDE) {                                          \
                        const word wide = p - j < WIDE ? p - j : WIDE;                            \
                        for (word k = 0; k < depth; k++) {                                        \
                            const char *row = b + (k0 + k) * b_row + j * b_col;                   \
                            T *to = pb + k * WIDE;                                                \
                            if (wide == WIDE && b_col == sizeof(T)) {                             \
                                wasm_v128_store(to, wasm_v128_load(row));                         \
                                wasm_v128_store(to + LANES, wasm_v128_load(row + 16));            \
                            } else                                                                \
                                for (word q = 0; q < WIDE; q++)                                   \
                                    to[q] = q < wide ? *(T *)(row + q * b_col) : 0;               \
                        }                                                                         \
                        for (word i = 0; i < block; i += ROWS) {                                  \
                            const word rows = block - i < ROWS ? block - i : ROWS;                \
                            char *corner = c + (i0 + i) * c_row + j * c_col;                      \
                            for (word r = 0; r < ROWS; r++)                                       \
                                for (word q = 0; q < WIDE; q++)                                   \
                                    tile[r * WIDE + q] = r < rows && q < wide                     \
                                        ? AT(T, corner, r, c_row, q, c_col) : 0;                  \
                            v128_t left[ROWS], right[ROWS];                                       \
                            for (word r = 0; r < ROWS; r++) {                                     \
                                left[r] = wasm_v128_load(tile + r * WIDE);                        \
                                right[r] = wasm_v128_load(tile + r * WIDE + LANES);               \
                            }                                                                     \
                            const T *x = pa + i * depth, *y = pb;                                 \
                            for (word k = 0; k < depth; k++, x += ROWS, y += WIDE) {              \
                                const v128_t y0 = wasm_v128_load(y);                              \
                                const v128_t y1 = wasm_v128_load(y + LANES);                      \
                                _Pragma("unroll") for (word r = 0; r < ROWS; r++) {               \
                                    const v128_t s = SPLAT(x + r);                                \
                                    left[r] = ADD(left[r], MUL(s, y0));                           \
                                    right[r] = ADD(right[r], MUL(s, y1));                         \
                                }                                                                 \
                            }                                                                     \
                            for (word r = 0; r < ROWS; r++) {                                     \
                                wasm_v128_store(tile + r * WIDE, left[r]);                        \
                                wasm_v128_store(tile + r * WIDE + LANES, right[r]);               \
                            }                                                                     \
                            for (word r = 0; r < rows; r++)                                       \
                                for (word q = 0; q < wide; q++)                                   \
                                    AT(T, corner, r, c_row, q, c_col) = tile[r * WIDE + q];       \
                        }                                                                         \
                    }                                                                             \
                }                                                                                 \
            }                                                                                     \
        }                                                                                         \
    }

MATMUL(matmul32, float, 4, wasm_v128_load32_splat, wasm_f32x4_mul, wasm_f32x4_add)
MATMUL(matmul64, double, 2, wasm_v128_load64_splat, wasm_f64x2_mul, wasm_f64x2_add)
