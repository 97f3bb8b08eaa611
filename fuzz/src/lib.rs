//! What all fuzz targets share: a meter of memory around the function that is fuzzed.
//!
//! Knows: how much memory was taken at once. Does not know: what the functions do; they stand beside what they fuzz.

use peak_alloc::PeakAlloc;

pub use libfuzzer_sys;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Memory that an input may cost at once: so many bytes for each of its bytes, and so many however short it is.
pub struct Allowance {
    /// Bytes for each byte of the input.
    pub for_each_byte: usize,
    /// Bytes for any input.
    pub for_all: usize,
}

/// Runs `function` on the input.
///
/// # Panics
/// The function does, or it took more memory at once than it may.
pub fn metered(data: &[u8], allowance: &Allowance, function: fn(&[u8])) {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    function(data);
    let taken = ALLOCATOR.peak_usage().saturating_sub(before);
    let allowed = data.len() * allowance.for_each_byte + allowance.for_all;
    assert!(taken <= allowed, "no_unbounded_memory: {taken} bytes for an input of {}, at most {allowed}", data.len());
}

/// A fuzz target: a function of bytes, and how many KiB it may take for any input and bytes for each byte of one.
#[macro_export]
macro_rules! target {
    ($function:path, $kibibytes:literal KiB, $for_each_byte:literal per byte) => {
        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| {
            let allowance = $crate::Allowance { for_each_byte: $for_each_byte, for_all: $kibibytes * 1_024 };
            $crate::metered(data, &allowance, $function);
        });
    };
}
