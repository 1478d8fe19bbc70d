/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What is in a save file, as Xen's documents lay it down:
 *
 *   xl         tools/xl/xl.h, struct save_file_header
 *   libxl      docs/specs/libxl-migration-stream.pandoc
 *   libxc      docs/specs/libxc-migration-stream.pandoc
 *   parameters xen/include/public/hvm/params.h
 *   context    xen/include/public/hvm/save.h, arch-x86/hvm/save.h
 *
 * Only libxl-ext/xen/ includes Xen's headers, so the few numbers needed of them
 * are here; tests/unit/test-image-format.c holds them equal to Xen's.
 *
 * Nothing in a file is aligned (the configuration has any length), so bytes
 * are copied into these structures, never pointed at.
 */
#ifndef XLX_IMAGE_FORMAT_H
#define XLX_IMAGE_FORMAT_H

#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "save files of a big-endian machine are not defined by Xen"
#endif

/* --- xl ----------------------------------------------------------------- */

#define FMT_XL_MAGIC "Xen saved domain, xl format\n \0 \r"
#define FMT_XL_BYTE_ORDER 0x01020304u
#define FMT_XL_BYTE_ORDER_SWAPPED 0x04030201u
#define FMT_XL_JSON (1u << 0)
#define FMT_XL_STREAM_V2 (1u << 1)
#define FMT_XL_MANDATORY (FMT_XL_JSON | FMT_XL_STREAM_V2)

struct fmt_xl_header {
    char magic[32];
    uint32_t byte_order;
    uint32_t mandatory_flags;
    uint32_t optional_flags;
    uint32_t optional_data_len; /* bytes that follow: u32 length, config */
};
_Static_assert(sizeof(struct fmt_xl_header) == 48, "xl's save header");
_Static_assert(sizeof(FMT_XL_MAGIC) - 1 == 32, "xl's magic");

/* --- libxl; its header is big-endian, its records are native -------------- */

#define FMT_LIBXL_IDENT 0x4c6962786c466d74ull /* "LibxlFmt" */
#define FMT_LIBXL_VERSION 2u
#define FMT_LIBXL_BIG_ENDIAN (1u << 0)

struct fmt_libxl_header {
    uint64_t ident;
    uint32_t version;
    uint32_t options;
};
_Static_assert(sizeof(struct fmt_libxl_header) == 16, "libxl's header");

enum fmt_libxl_type {
    FMT_LIBXL_END = 0,
    FMT_LIBXL_LIBXC_CONTEXT = 1,
    FMT_LIBXL_EMULATOR_XENSTORE_DATA = 2,
    FMT_LIBXL_EMULATOR_CONTEXT = 3,
    FMT_LIBXL_CHECKPOINT_END = 4,
    FMT_LIBXL_CHECKPOINT_STATE = 5,
};

struct fmt_emulator_header {
    uint32_t id;
    uint32_t index;
};

/* --- records, of libxl and of libxc --------------------------------------- */

struct fmt_record {
    uint32_t type;
    uint32_t length; /* of the body, without its padding */
};
_Static_assert(sizeof(struct fmt_record) == 8, "record header");

#define FMT_RECORD_ALIGN 8u
#define FMT_RECORD_OPTIONAL (1u << 31)

/* Bytes of a record with its header and padding. */
static inline uint64_t fmt_record_size(uint32_t length)
{
    return sizeof(struct fmt_record) + (((uint64_t)length + 7) & ~7ull);
}

/* --- libxc; its image header is big-endian ------------------------------- */

#define FMT_LIBXC_MARKER UINT64_MAX
#define FMT_LIBXC_ID 0x58454e46u /* "XENF" */
#define FMT_LIBXC_BIG_ENDIAN (1u << 0)
#define FMT_LIBXC_RECORD_MAX (128u << 20) /* REC_LENGTH_MAX */

struct fmt_libxc_header {
    uint64_t marker;
    uint32_t id;
    uint32_t version;
    uint16_t options;
    uint16_t reserved1;
    uint32_t reserved2;
};
_Static_assert(sizeof(struct fmt_libxc_header) == 24, "libxc's image header");

struct fmt_domain_header {
    uint32_t type;
    uint16_t page_shift;
    uint16_t reserved;
    uint32_t xen_major;
    uint32_t xen_minor;
};
_Static_assert(sizeof(struct fmt_domain_header) == 16, "libxc's domain header");

/* Both, as they lie in the file. */
struct fmt_libxc_headers {
    struct fmt_libxc_header image;
    struct fmt_domain_header domain;
};
_Static_assert(sizeof(struct fmt_libxc_headers) == 40, "libxc's headers");

#define FMT_GUEST_PV 1u
#define FMT_GUEST_HVM 2u

enum fmt_libxc_type {
    FMT_END = 0x00,
    FMT_PAGE_DATA = 0x01,
    FMT_X86_PV_INFO = 0x02,
    FMT_X86_PV_P2M_FRAMES = 0x03,
    FMT_X86_PV_VCPU_BASIC = 0x04,
    FMT_X86_PV_VCPU_EXTENDED = 0x05,
    FMT_X86_PV_VCPU_XSAVE = 0x06,
    FMT_SHARED_INFO = 0x07,
    FMT_X86_TSC_INFO = 0x08,
    FMT_HVM_CONTEXT = 0x09,
    FMT_HVM_PARAMS = 0x0a,
    FMT_TOOLSTACK = 0x0b,
    FMT_X86_PV_VCPU_MSRS = 0x0c,
    FMT_VERIFY = 0x0d,
    FMT_CHECKPOINT = 0x0e,
    FMT_CHECKPOINT_DIRTY_PFN_LIST = 0x0f,
    FMT_STATIC_DATA_END = 0x10,
    FMT_X86_CPUID_POLICY = 0x11,
    FMT_X86_MSR_POLICY = 0x12,
};

/*
 * PAGE_DATA: this, `count` pfns, then a page for every pfn whose type has data.
 */
struct fmt_page_data {
    uint32_t count;
    uint32_t reserved;
};
_Static_assert(sizeof(struct fmt_page_data) == 8, "PAGE_DATA header");

#define FMT_PFN_BITS 52
#define FMT_PFN_MASK ((1ull << FMT_PFN_BITS) - 1)
#define FMT_PFN_TYPE_SHIFT 60
#define FMT_PFN_RESERVED (0xffull << FMT_PFN_BITS) /* libxc masks them */

/*
 * x86 has 52 bits of physical address: no gfn with memory is as large as this.
 * Libxc asks Xen for what is as large, and fails; that a larger one has no page
 * it takes.
 */
#define FMT_GFN_LIMIT (1ull << 40)

enum fmt_pfn_type {
    FMT_PFN_NOTAB = 0x0,
    FMT_PFN_L1TAB = 0x1, /* to 0x4, pinned 0x9 to 0xc: page tables of PV */
    FMT_PFN_L4TAB = 0x4,
    FMT_PFN_L1TAB_PINNED = 0x9,
    FMT_PFN_BROKEN = 0xd, /* this and the next two have no page */
    FMT_PFN_XALLOC = 0xe,
    FMT_PFN_XTAB = 0xf,
};

static inline int fmt_pfn_type_known(unsigned type)
{
    return type <= FMT_PFN_L4TAB || type >= FMT_PFN_L1TAB_PINNED;
}

static inline int fmt_pfn_type_has_page(unsigned type)
{
    return type < FMT_PFN_BROKEN;
}

/* The batch in which libxc writes pages: MAX_BATCH_SIZE. */
#define FMT_PAGE_BATCH 1024u

/* --- PV ------------------------------------------------------------------- */

struct fmt_pv_info {
    uint8_t width;
    uint8_t levels;
    uint8_t reserved[6];
};
_Static_assert(sizeof(struct fmt_pv_info) == 8, "X86_PV_INFO");

/* X86_PV_P2M_FRAMES: this, then a u64 for each frame of the P2M. */
struct fmt_pv_frames {
    uint32_t first_pfn;
    uint32_t last_pfn;
};
_Static_assert(sizeof(struct fmt_pv_frames) == 8, "X86_PV_P2M_FRAMES header");

/* X86_PV_VCPU_BASIC and the others: this, then what libxc gives to Xen. */
struct fmt_pv_vcpu {
    uint32_t id;
    uint32_t reserved;
};
_Static_assert(sizeof(struct fmt_pv_vcpu) == 8, "X86_PV_VCPU header");

#define FMT_PV_VCPU_BASIC_32 2800u /* vcpu_guest_context_x86_32 */
#define FMT_PV_VCPU_BASIC_64 5168u
#define FMT_PV_VCPU_EXTENDED_MAX 128u
#define FMT_PV_VCPU_XSAVE_MIN 16u
#define FMT_PV_VCPU_MSR 16u

/* --- HVM_PARAMS ----------------------------------------------------------- */

struct fmt_hvm_params {
    uint32_t count;
    uint32_t reserved;
};

struct fmt_hvm_param {
    uint64_t index;
    uint64_t value;
};
_Static_assert(sizeof(struct fmt_hvm_param) == 16, "HVM_PARAMS entry");

enum fmt_hvm_param_index {
    FMT_PARAM_STORE_PFN = 1,
    FMT_PARAM_IOREQ_PFN = 5,
    FMT_PARAM_BUFIOREQ_PFN = 6,
    FMT_PARAM_IDENT_PT = 12,
    FMT_PARAM_VM86_TSS = 15,
    FMT_PARAM_CONSOLE_PFN = 17,
    FMT_PARAM_PAGING_RING_PFN = 27,
    FMT_PARAM_MONITOR_RING_PFN = 28,
    FMT_PARAM_SHARING_RING_PFN = 29,
    FMT_PARAM_IOREQ_SERVER_PFN = 32,
    FMT_PARAM_VM_GENERATION_ID_ADDR = 34,
    FMT_PARAM_VM86_TSS_SIZED = 37,
};

/* --- HVM_CONTEXT: descriptors, each with its body, up to an END ----------- */

struct fmt_save_descriptor {
    uint16_t typecode;
    uint16_t instance;
    uint32_t length;
};
_Static_assert(sizeof(struct fmt_save_descriptor) == 8, "save descriptor");

#define FMT_SAVE_END 0u
#define FMT_SAVE_CPU 2u
#define FMT_SAVE_CPU_CR3 672u /* offset of cr3 in struct hvm_hw_cpu */
#define FMT_CR3_ADDRESS 0x000ffffffffff000ull

/* Enlightenments for Windows: MSRs that name a page of the guest's, by their
 * offsets in hvm_viridian_domain_context and hvm_viridian_vcpu_context. */
#define FMT_SAVE_VIRIDIAN_DOMAIN 15u
#define FMT_SAVE_VIRIDIAN_HYPERCALL 0u
#define FMT_SAVE_VIRIDIAN_REFERENCE_TSC 24u
#define FMT_SAVE_VIRIDIAN_VCPU 17u
#define FMT_SAVE_VIRIDIAN_VP_ASSIST 0u
#define FMT_SAVE_VIRIDIAN_SIMP 16u
#define FMT_VIRIDIAN_ENABLED 1u /* such an MSR; its page is from bit 12 on */

#endif
