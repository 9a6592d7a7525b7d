import CMalloc

/// Settings of the C library's memory allocator.
package enum MemoryAllocator {
    private static let keptBytes: Int32 = 32 << 20

    /// Keeps up to twice 32 MiB of freed memory for later allocations.
    ///
    /// Both programs use buffers of 256 KiB and parts of several MiB. By default the allocator maps each of them
    /// separately, or returns it to the system as soon as it is freed. The system then has to clear the pages again for
    /// every chunk, which took a third of a gateway's processor time on a virtual machine. Only programs call this,
    /// before anything else; a library leaves the setting to the program that uses it.
    package static func keepFreedMemory() {
        sluice_keep_freed_memory(keptBytes)
    }
}
