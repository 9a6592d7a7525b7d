package import NIOCore

/// The channels of a shell's connections, and the encoded frames that wait for the end of the current actions.
///
/// Frames of one round of actions leave a connection in one write.
package struct OutboundFrames<ID: Hashable & Sendable> {
    private var channels: [ID: any Channel] = [:]
    private var buffers: [ID: ByteBuffer] = [:]

    package init() {}

    /// Adds a connection. Frames for it are accepted from now on.
    package mutating func opened(_ id: ID, _ channel: any Channel) {
        channels[id] = channel
    }

    /// Removes a connection that has ended, and the frames that still waited for it.
    package mutating func lost(_ id: ID) {
        channels[id] = nil
        buffers[id] = nil
    }

    /// The channel of an open connection; `nil` once the connection is closed or lost.
    package func channel(of id: ID) -> (any Channel)? { channels[id] }

    package var openChannels: [any Channel] { Array(channels.values) }

    /// Adds a frame for `id`. Does nothing if the connection is closed or lost.
    ///
    /// - Parameter encode: appends the frame to the buffer. What it appends before it throws is removed again.
    package mutating func append(to id: ID, encode: (inout ByteBuffer) throws -> Void) throws {
        guard channels[id] != nil else { return }
        try buffers[id, default: ByteBuffer()].appendOrRestore(encode)
    }

    /// The bytes to write to one channel.
    package typealias Write = (channel: any Channel, bytes: ByteBuffer)

    /// Removes and returns the waiting frames. The caller writes the frames after this call has returned, because
    /// writing may close a connection at once, which changes this value again.
    package mutating func takeWrites() -> [Write] {
        guard !buffers.isEmpty else { return [] }
        let writes: [Write] = buffers.compactMap { id, buffer in
            guard buffer.readableBytes > 0, let channel = channels[id] else { return nil }
            return (channel, buffer)
        }
        buffers.removeAll(keepingCapacity: true)
        return writes
    }

    /// Removes a connection. The caller writes the returned frames, which may be none, and then closes the channel.
    package mutating func takeLast(of id: ID) -> Write? {
        let bytes = buffers.removeValue(forKey: id) ?? ByteBuffer()
        return channels.removeValue(forKey: id).map { ($0, bytes) }
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
