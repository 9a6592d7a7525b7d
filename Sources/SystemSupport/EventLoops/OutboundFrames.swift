package import NIOCore

/// The channels of a shell's connections, and the encoded frames for them. The frames wait until the shell has
/// performed all current actions.
///
/// A single write then sends all the frames that wait for a connection.
package struct OutboundFrames<ID: Hashable & Sendable> {
    private var channels: [ID: any Channel] = [:]
    private var buffers: [ID: ByteBuffer] = [:]
    /// Channels of connections that the shell has closed, until they are lost.
    private var closing: [ID: any Channel] = [:]
    /// The numbers to report once the waiting frames of a connection have been written.
    private var reports: [ID: UInt64] = [:]

    package init() {}

    /// Adds a connection. Frames for it are accepted from now on.
    package mutating func opened(_ id: ID, _ channel: any Channel) {
        channels[id] = channel
    }

    /// Removes a connection that has ended, and its unsent frames.
    package mutating func lost(_ id: ID) {
        channels[id] = nil
        buffers[id] = nil
        closing[id] = nil
        reports[id] = nil
    }

    /// The channel of an open connection; `nil` once the connection is closed or lost.
    package func channel(of id: ID) -> (any Channel)? { channels[id] }

    package var openChannels: [any Channel] { Array(channels.values) }

    /// Channels of connections that the shell has closed and that are not lost yet: they still send their last frames.
    package var closingChannels: [any Channel] { Array(closing.values) }

    /// Adds a frame for `id`. Does nothing if the connection is closed or lost.
    ///
    /// - Parameter encode: appends the frame to the buffer. If it throws, the bytes that it has appended before are
    ///   removed again.
    package mutating func append(to id: ID, encode: (inout ByteBuffer) throws -> Void) throws {
        guard channels[id] != nil else { return }
        try buffers[id, default: ByteBuffer()].appendOrRestore(encode)
    }

    /// Makes the write of the frames that wait for `id` report a number once the socket has taken the bytes. Numbers of
    /// the same write are added. Does nothing if no frame waits.
    package mutating func reportWritten(_ number: UInt64, to id: ID) {
        guard buffers[id] != nil else { return }
        reports[id, default: 0] += number
    }

    /// A channel and the bytes to write to it.
    ///
    /// - report: the number to report once the socket has taken the bytes; `nil` for no report.
    package typealias Write = (id: ID, channel: any Channel, bytes: ByteBuffer, report: UInt64?)

    /// Removes and returns the waiting frames. The caller writes them after this method has returned, because writing
    /// may close a connection immediately, and the shell then changes this value.
    package mutating func takeWrites() -> [Write] {
        guard !buffers.isEmpty else { return [] }
        let writes: [Write] = buffers.compactMap { id, buffer in
            guard buffer.readableBytes > 0, let channel = channels[id] else { return nil }
            return (id, channel, buffer, reports[id])
        }
        buffers.removeAll(keepingCapacity: true)
        reports.removeAll(keepingCapacity: true)
        return writes
    }

    /// Removes a connection and returns its channel and its waiting frames, if any. The caller writes these frames and
    /// then closes the channel.
    package mutating func takeLast(of id: ID) -> Write? {
        let bytes = buffers.removeValue(forKey: id) ?? ByteBuffer()
        reports[id] = nil
        guard let channel = channels.removeValue(forKey: id) else { return nil }
        closing[id] = channel
        return (id, channel, bytes, nil)
    }
}

extension ByteBuffer {
    fileprivate mutating func appendOrRestore(_ encode: (inout ByteBuffer) throws -> Void) throws {
        let end = writerIndex
        do {
            try encode(&self)
        } catch {
            moveWriterIndex(to: end)
            throw error
        }
    }
}
