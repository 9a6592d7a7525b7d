import NIOCore

/// Writes that wait to be encrypted, in order, each with its promise.
struct PlaintextQueue {
    private struct Write {
        var bytes: ByteBuffer
        let promise: EventLoopPromise<Void>?
    }

    private var writes = CircularBuffer<Write>()
    private var flushedWriteCount = 0
    private var finishedPromises: [EventLoopPromise<Void>] = []

    /// Number of plain bytes of all writes, flushed or not.
    private(set) var byteCount = 0

    /// Whether the queue has a flushed write. The write may be empty.
    var hasFlushed: Bool { flushedWriteCount > 0 }

    /// Number of bytes that are left of the first flushed write; `nil` if there is no flushed write.
    var firstByteCount: Int? {
        hasFlushed ? writes.first?.bytes.readableBytes : nil
    }

    mutating func append(_ bytes: ByteBuffer, promise: EventLoopPromise<Void>?) {
        byteCount += bytes.readableBytes
        writes.append(Write(bytes: bytes, promise: promise))
    }

    /// Marks all writes so far as flushed.
    mutating func flush() {
        flushedWriteCount = writes.count
    }

    /// Calls `body` with the first bytes of the first write. The queue must not be empty. The bytes stay in the queue
    /// until `drop`.
    func withFirstBytes<Result>(_ byteCount: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        writes[writes.startIndex].bytes.withUnsafeReadableBytes { bytes in
            body(UnsafeRawBufferPointer(rebasing: bytes.prefix(byteCount)))
        }
    }

    /// Removes the first bytes of the first write. If the write is then empty, removes it, too.
    mutating func drop(_ byteCount: Int) {
        let first = writes.startIndex
        writes[first].bytes.moveReaderIndex(forwardBy: byteCount)
        self.byteCount -= byteCount
        guard writes[first].bytes.readableBytes == 0 else { return }
        flushedWriteCount -= 1
        if let promise = writes.removeFirst().promise { finishedPromises.append(promise) }
    }

    /// Removes and returns the promises of the writes that `drop` has removed since the last call.
    mutating func takeFinishedPromises() -> [EventLoopPromise<Void>] {
        guard !finishedPromises.isEmpty else { return [] }
        defer { finishedPromises = [] }
        return finishedPromises
    }

    /// Removes writes that will not be sent.
    /// - Parameter keepingFlushed: whether flushed writes stay.
    /// - Returns: the promises to fail. Without `keepingFlushed` these include the promises of writes that `drop` has
    ///   removed.
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
