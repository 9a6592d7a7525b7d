import NIOCore

/// Plain text on its way into TLS records: what was written, and the record that is being put together from it.
struct OutboundRecords {
    /// The longest plain text of one record that TLS allows.
    private static let recordBytesMax = 16 * 1024

    /// The bytes that a record adds: header, content type and tag. Their number is the same for each of the ciphers.
    private static let recordOverheadBytes = 22

    /// The number of records in one slice. So many encrypted records fit into half a mebibyte, the size of the buffer
    /// for them.
    static let sliceRecordCount = 31

    /// The most plain text that is encrypted at once.
    static let sliceBytesMax = sliceRecordCount * recordBytesMax

    /// Plain text that was written and is not encrypted yet.
    private var queue = PlaintextQueue()

    /// The record that is being put together from several writes. Empty between calls, unless OpenSSL could not take
    /// it yet.
    private var gathered = ByteBuffer()

    /// The plain bytes of all writes in the queue, flushed or not.
    var queuedByteCount: Int { queue.byteCount }

    /// Whether flushed plain text waits to be encrypted.
    var hasFlushed: Bool { queue.hasFlushed || gathered.readableBytes > 0 }

    mutating func append(_ bytes: ByteBuffer, promise: EventLoopPromise<Void>?) {
        queue.append(bytes, promise: promise)
    }

    /// Marks all writes so far as flushed.
    mutating func flush() {
        queue.flush()
    }

    /// Removes writes that will not be sent.
    /// - Parameter keepingFlushed: whether flushed writes stay.
    /// - Returns: the promises to fail. Failing one may call the handler, which then changes these records.
    mutating func removeAll(keepingFlushed: Bool) -> [EventLoopPromise<Void>] {
        queue.removeAll(keepingFlushed: keepingFlushed)
    }

    /// Removes and returns the promises of writes that have been encrypted; none while the record that is being put
    /// together may hold some of their bytes.
    mutating func takeFinishedPromises() -> [EventLoopPromise<Void>] {
        gathered.readableBytes == 0 ? queue.takeFinishedPromises() : []
    }

    /// Makes full records and a shorter last one, wherever one write ends and the next begins. The part of a write that
    /// fills whole records is encrypted without a copy. Only the bytes at its beginning and end are copied, to join
    /// them with those of the neighbouring writes.
    mutating func encryptSlice(
        with connection: borrowing SSLConnection, _ allocator: ByteBufferAllocator
    ) -> SSLConnection.OnWrite {
        let plainByteCount = min(queue.byteCount + gathered.readableBytes, Self.sliceBytesMax)
        let recordCount = plainByteCount / Self.recordBytesMax + 1
        connection.stream.reserveOutbound(
            byteCount: plainByteCount + recordCount * Self.recordOverheadBytes, allocator: allocator)
        var room = Self.sliceBytesMax - gathered.readableBytes
        while let firstByteCount = queue.firstByteCount, room > 0 || firstByteCount == 0 {
            let outcome: SSLConnection.OnWrite
            let byteCount: Int
            if gathered.readableBytes == 0, firstByteCount >= Self.recordBytesMax {
                let wholeByteCount = min(firstByteCount, room) / Self.recordBytesMax * Self.recordBytesMax
                byteCount = wholeByteCount
                outcome = queue.withFirstBytes(wholeByteCount) { connection.write($0) }
                guard case .written = outcome else { return outcome }
                queue.drop(byteCount)
            } else {
                byteCount = min(firstByteCount, Self.recordBytesMax - gathered.readableBytes, room)
                gather(byteCount, allocator)
                outcome = gathered.readableBytes == Self.recordBytesMax ? encryptGathered(with: connection) : .written
                guard case .written = outcome else { return outcome }
            }
            room -= byteCount
        }
        return encryptGathered(with: connection)
    }

    private mutating func gather(_ byteCount: Int, _ allocator: ByteBufferAllocator) {
        if gathered.readableBytes == 0 {
            gathered = allocator.buffer(capacity: min(queue.byteCount, Self.recordBytesMax))
        }
        queue.withFirstBytes(byteCount) { _ = gathered.writeBytes($0) }
        queue.drop(byteCount)
    }

    private mutating func encryptGathered(with connection: borrowing SSLConnection) -> SSLConnection.OnWrite {
        guard gathered.readableBytes > 0 else { return .written }
        let outcome = gathered.withUnsafeReadableBytes { connection.write($0) }
        if case .written = outcome { gathered = ByteBuffer() }
        return outcome
    }
}

extension EventLoopPromise<Void> {
    /// One promise that completes all given promises.
    static func joining(_ promises: [EventLoopPromise<Void>]) -> EventLoopPromise<Void>? {
        guard let first = promises.first else { return nil }
        for promise in promises.dropFirst() { first.futureResult.cascade(to: promise) }
        return first
    }
}
