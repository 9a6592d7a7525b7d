import NIOCore

/// Writes that wait to be encrypted, in order, with the promises of those who wrote them.
struct PlaintextQueue {
    private struct Write {
        var bytes: ByteBuffer
        let promise: EventLoopPromise<Void>?
    }

    private var writes = CircularBuffer<Write>()
    private var flushedWriteCount = 0
    private var finishedPromises: [EventLoopPromise<Void>] = []

    /// Of all writes, flushed or not.
    private(set) var byteCount = 0

    /// Whether anything is to be sent, be it a write of no bytes.
    var hasFlushed: Bool { flushedWriteCount > 0 }

    /// What is left of the first write that is to be sent; `nil` without one.
    var firstByteCount: Int? {
        hasFlushed ? writes.first?.bytes.readableBytes : nil
    }

    mutating func append(_ bytes: ByteBuffer, promise: EventLoopPromise<Void>?) {
        byteCount += bytes.readableBytes
        writes.append(Write(bytes: bytes, promise: promise))
    }

    /// All writes so far are to be sent.
    mutating func flush() {
        flushedWriteCount = writes.count
    }

    /// Lends the first bytes of the first write, which stay until `drop`. There has to be one.
    func withFirstBytes<Result>(_ byteCount: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        writes[writes.startIndex].bytes.withUnsafeReadableBytes { bytes in
            body(UnsafeRawBufferPointer(rebasing: bytes.prefix(byteCount)))
        }
    }

    /// Forgets the first bytes of the first write, and the write with its last byte.
    mutating func drop(_ byteCount: Int) {
        let first = writes.startIndex
        writes[first].bytes.moveReaderIndex(forwardBy: byteCount)
        self.byteCount -= byteCount
        guard writes[first].bytes.readableBytes == 0 else { return }
        flushedWriteCount -= 1
        if let promise = writes.removeFirst().promise { finishedPromises.append(promise) }
    }

    /// The promises of the writes that were dropped since the last call.
    mutating func takeFinishedPromises() -> [EventLoopPromise<Void>] {
        guard !finishedPromises.isEmpty else { return [] }
        defer { finishedPromises = [] }
        return finishedPromises
    }

    /// Takes out writes that will not be sent.
    /// - Parameter keepingFlushed: whether only those are meant that were not flushed.
    /// - Returns: the promises to fail, of writes dropped before, too.
    mutating func removeAll(keepingFlushed: Bool) -> [EventLoopPromise<Void>] {
        var promises: [EventLoopPromise<Void>] = keepingFlushed ? [] : takeFinishedPromises()
        let removed = writes.suffix(writes.count - (keepingFlushed ? flushedWriteCount : 0))
        for write in removed {
            byteCount -= write.bytes.readableBytes
            if let promise = write.promise { promises.append(promise) }
        }
        writes.removeLast(removed.count)
        flushedWriteCount = min(flushedWriteCount, writes.count)
        return promises
    }
}
