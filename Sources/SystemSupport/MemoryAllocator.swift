import CMalloc

/// Settings of the C library's memory allocator.
package enum MemoryAllocator {
    private static let keptBytes: Int32 = 32 << 20

    /// Makes the allocator keep up to twice 32 MiB of freed memory for later allocations.
    ///
    /// Both programs use buffers of 256 KiB and parts of several MiB. By default the allocator gets the memory for each
    /// of them from the system and returns it as soon as it is freed. The system then has to clear the pages again for
    /// every chunk, which on a virtual machine takes a third of a gateway's processor time. The main function of a
    /// program calls this before everything else. A library must not call it, because the setting applies to the whole
    /// program.
    package static func keepFreedMemory() {
        sluice_keep_freed_memory(keptBytes)
    }
}
