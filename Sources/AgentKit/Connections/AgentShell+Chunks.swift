import NIOCore
import NIOPosix
import SystemSupport
import TransferCommon
import TransferCore
import WireProtocol

// Sending parts: chunks are encoded on the event loop if that is cheap, otherwise on another thread. Chunks of one
// connection are written in the order in which the machine decided on them.

extension AgentShell {
    /// Encodes the frame of a chunk, and writes it after the earlier chunks of its connection. Plain bytes in memory
    /// are encoded on the event loop, all others on another thread.
    func sendChunk(_ chunk: Chunk) {
        guard let channel = state.frames.channel(of: chunk.connection) else {
            // The connection is gone. The machine has counted the chunk against the rate already, so tell it that no
            // byte was written.
            return machine.handle(.chunkEncoded(plainBytes: chunk.plainBytes, wireBytes: 0), now: now)
        }
        writeFrames()
        guard let source = sources.partSource(.init(upload: chunk.upload, part: chunk.part)) else {
            return inTurn(chunk, eventLoop.makeFailedFuture(UploadFailure(.stopped)), on: channel)
        }
        // The answer may differ from connection to connection, because another gateway of the site may have other
        // capabilities.
        let isLZ4Agreed = machine.agreedCapabilities(on: chunk.connection).contains(.lz4)
        let made: EventLoopFuture<ChunkPieces>
        if source.isEncodedAtOnce(mayCompress: isLZ4Agreed) {
            made = eventLoop.makeCompletedFuture { try source.pieces(of: chunk, mayCompress: isLZ4Agreed) }
        } else {
            made = threads.runIfActive(eventLoop: eventLoop) { try source.pieces(of: chunk, mayCompress: isLZ4Agreed) }
        }
        inTurn(chunk, made, on: channel)
    }

    /// Writes a chunk after all earlier chunks of its connection have been written or have failed.
    private func inTurn(_ chunk: Chunk, _ made: EventLoopFuture<ChunkPieces>, on channel: any Channel) {
        let previous = lastWrites[chunk.connection] ?? eventLoop.makeSucceededVoidFuture()
        let turn = previous.flatMap { made }.map { pieces in
            self.assumeIsolated { $0.write(pieces, of: chunk, on: channel) }
        }
        turn.whenFailure { error in self.assumeIsolated { $0.chunkFailed(chunk, error) } }
        // A failed chunk must not block later chunks. The machine drops its part.
        lastWrites[chunk.connection] = turn.recover { _ in }
    }

    private func write(_ pieces: ChunkPieces, of chunk: Chunk, on channel: any Channel) {
        let wireBytes = UInt64(pieces.head.readableBytes + pieces.payload.readableBytes)
        self.wireBytes += wireBytes
        machine.handle(.chunkEncoded(plainBytes: chunk.plainBytes, wireBytes: wireBytes), now: now)
        channel.write(pieces.head, promise: nil)
        channel.writeAndFlush(pieces.payload).whenComplete { _ in
            // Failed writes need no report of their own: the connection ends, and `connectionLost` reports that.
            self.assumeIsolated { shell in
                shell.handle(.chunkSent(chunk, wireBytes: wireBytes))
            }
        }
    }

    private func chunkFailed(_ chunk: Chunk, _ error: any Error) {
        let failure = error as? UploadFailure ?? UploadFailure(.unreadable, "\(error)")
        handle(.chunkFailed(chunk, failure))
    }
}
