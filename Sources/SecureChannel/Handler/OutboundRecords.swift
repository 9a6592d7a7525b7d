import NIOCore

/// Plain text that is to be encrypted into TLS records: the writes of the handlers, and the record that is being
/// assembled from several writes.
struct OutboundRecords {
    /// The longest plain text of one record that TLS allows.
    private static let recordBytesMax = 16 * 1024

    /// Bytes that encryption adds to a record: header, content type and tag. The number is the same for every cipher
    /// that `SSLContext` allows.
    private static let recordOverheadBytes = 22

    /// Number of records that are encrypted at once. It is the largest number whose cipher text fits into a buffer of
    /// half a mebibyte.
    static let sliceRecordCount = 31

    /// Maximum plain text that is encrypted at once.
    static let sliceBytesMax = sliceRecordCount * recordBytesMax

    private var queue = PlaintextQueue()

    /// The record that is being assembled from several writes. It is empty between calls, unless OpenSSL could not take
    /// it yet.
    private var gathered = ByteBuffer()

    /// Number of plain bytes of all writes in the queue, flushed or not.
    var queuedByteCount: Int { queue.byteCount }

    /// Number of bytes that wait here or in the channel. If the socket has taken a part of a long write, the channel no
    /// longer counts that part.
    func unsentByteCount(in channel: any Channel) -> Int {
        // try?: a channel that does not know this option does not show what waits in it.
        let buffered = (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        return queue.byteCount + gathered.readableBytes + buffered
    }

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
    /// - Returns: the promises to fail. The caller fails them after all methods of this value have returned, because
    ///   failing a promise may call the handler, which then changes this value.
    mutating func removeAll(keepingFlushed: Bool) -> [EventLoopPromise<Void>] {
        queue.removeAll(keepingFlushed: keepingFlushed)
    }

    /// Removes and returns the promises of writes that have been encrypted. Returns none while a record is being
    /// assembled, because it may contain bytes of these writes.
    mutating func takeFinishedPromises() -> [EventLoopPromise<Void>] {
        gathered.readableBytes == 0 ? queue.takeFinishedPromises() : []
    }

    /// Encrypts flushed plain text, in full records and a shorter last one. A record may have bytes of several writes.
    /// If all bytes of a record come from one long write, the record is encrypted without a copy. Otherwise its bytes
    /// are copied together first.
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
    /// One promise that completes all the given promises; `nil` if there are none.
    static func joining(_ promises: [EventLoopPromise<Void>]) -> EventLoopPromise<Void>? {
        guard let first = promises.first else { return nil }
        for promise in promises.dropFirst() { first.futureResult.cascade(to: promise) }
        return first
    }
}
