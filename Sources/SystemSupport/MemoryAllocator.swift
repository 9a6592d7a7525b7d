import CMalloc

/// How a program's memory is got from the system.
package enum MemoryAllocator {
    private static let keptBytes: Int32 = 32 << 20

    /// Keeps memory that was freed for the next time, up to twice 32 MiB.
    ///
    /// Bytes pass through both programs in buffers of 256 KiB and parts of some MiB. As the allocator comes, each of
    /// them is a mapping of its own, or is given back as soon as it is free: the system then clears its pages anew for
    /// every chunk, on a virtual machine a third of all that a gateway does. Programs call this first of all; how a
    /// library's program uses memory is that program's to say.
    package static func keepFreedMemory() {
        sluice_keep_freed_memory(keptBytes)
    }
}
