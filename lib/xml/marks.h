#ifndef XML_MARKS_H
#define XML_MARKS_H

#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Finds the bytes that mean something in XML, many at a time. The lowest bit of a result stands for the first byte of
 * data: it is set when that is one of < > & ' " = and ]. More bits are set than these, so each wants a closer look:
 * those of # and ?, and in marks_of_word() any behind the first that is right. */

enum { MARKS_BLOCK = 16 };

static inline uint64_t marks_load_word(const char *data)
{
    uint64_t word;

    memcpy(&word, data, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word); /* the first byte is the lowest */
#endif
    return word;
}

/* The highest bits of the bytes, moved together: no two of the products meet in one bit. */
static inline unsigned marks_gather(uint64_t word)
{
    return (unsigned)(((word >> 7 & UINT64_C(0x0101010101010101)) * UINT64_C(0x0102040810204080)) >>
                      56);
}

/* 8 bytes */
static inline unsigned marks_of_word(const char *data)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t word = marks_load_word(data);
    uint64_t angles = (word & ones * 0xFC) ^ ones * 0x3C;
    uint64_t quotes = (word & ones * 0xFA) ^ ones * 0x22;
    uint64_t brackets = word ^ ones * ']';

    return marks_gather(((angles - ones) & ~angles) | ((quotes - ones) & ~quotes) |
                        ((brackets - ones) & ~brackets));
}

static inline unsigned marks_controls_of_word(const char *data)
{
    uint64_t word = marks_load_word(data);

    return marks_gather((word - UINT64_C(0x2020202020202020)) & ~word);
}

/* What other machines do; the same as below, but for what is said above. */
static inline unsigned marks_find_portably(const char *data)
{
    return marks_of_word(data) | marks_of_word(data + 8) << 8;
}

static inline unsigned marks_find_controls_portably(const char *data)
{
    return marks_controls_of_word(data) | marks_controls_of_word(data + 8) << 8;
}

#ifdef __SSE2__

static inline unsigned marks_find(const char *data)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)data);
    __m128i angles =
        _mm_cmpeq_epi8(_mm_and_si128(bytes, _mm_set1_epi8((char)0xFC)), _mm_set1_epi8(0x3C));
    __m128i quotes =
        _mm_cmpeq_epi8(_mm_and_si128(bytes, _mm_set1_epi8((char)0xFA)), _mm_set1_epi8(0x22));
    __m128i brackets = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(']'));

    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(angles, quotes), brackets));
}

static inline unsigned marks_find_controls(const char *data)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)data);

    return (unsigned)_mm_movemask_epi8(
        _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes));
}

#else

/* MARKS_BLOCK bytes */
static inline unsigned marks_find(const char *data)
{
    return marks_find_portably(data);
}

/* The same for bytes below 0x20. */
static inline unsigned marks_find_controls(const char *data)
{
    return marks_find_controls_portably(data);
}

#endif

#endif
