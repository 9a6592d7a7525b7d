import NIOCore
import NIOPosix
import SystemSupport
import TransferCommon
import TransferCore
import WireProtocol

// Sending parts: chunks are encoded on the event loop or on a pool thread, whichever costs less, and written to each
// connection in the order in which the machine sent them.

extension AgentShell {
    /// Encodes a chunk and writes it after earlier chunks. Leaves the event loop only to read the disk or to compress.
    func sendChunk(_ chunk: Chunk) {
        guard let channel = state.frames.channel(of: chunk.connection) else {
            // The connection has ended. The machine has counted the chunk already, so report that 0 bytes were sent.
            return machine.handle(.chunkEncoded(plainBytes: chunk.plainBytes, wireBytes: 0), now: now)
        }
        writeFrames()
        guard let source = sources.partSource(.init(upload: chunk.upload, part: chunk.part)) else {
            return inTurn(chunk, eventLoop.makeFailedFuture(UploadFailure(.stopped)), on: channel)
        }
        // The capabilities may differ between connections, because two connections may lead to two gateways.
        let isLZ4Agreed = machine.agreedCapabilities(on: chunk.connection).contains(.lz4)
        let made: EventLoopFuture<ChunkPieces>
        if source.isEncodedAtOnce(mayCompress: isLZ4Agreed) {
            made = eventLoop.makeCompletedFuture { try source.pieces(of: chunk, mayCompress: isLZ4Agreed) }
        } else {
            made = threads.runIfActive(eventLoop: eventLoop) { try source.pieces(of: chunk, mayCompress: isLZ4Agreed) }
        }
        inTurn(chunk, made, on: channel)
    }

    /// Writes a chunk's frame after the earlier chunks of its connection have been written or have failed.
    private func inTurn(_ chunk: Chunk, _ made: EventLoopFuture<ChunkPieces>, on channel: any Channel) {
        let previous = lastWrites[chunk.connection] ?? eventLoop.makeSucceededVoidFuture()
        let turn = previous.flatMap { made }.map { pieces in
            self.assumeIsolated { $0.write(pieces, of: chunk, on: channel) }
        }
        turn.whenFailure { error in self.assumeIsolated { $0.chunkFailed(chunk, error) } }
        // If encoding fails, the machine drops the part of this chunk. Later chunks must not wait for the failed one.
        lastWrites[chunk.connection] = turn.recover { _ in }
    }

    private func write(_ pieces: ChunkPieces, of chunk: Chunk, on channel: any Channel) {
        let wireBytes = UInt64(pieces.head.readableBytes + pieces.payload.readableBytes)
        self.wireBytes += wireBytes
        machine.handle(.chunkEncoded(plainBytes: chunk.plainBytes, wireBytes: wireBytes), now: now)
        channel.write(pieces.head, promise: nil)
        channel.writeAndFlush(pieces.payload).whenComplete { _ in
            // A failed write needs no handling here: the connection then ends, and `connectionLost` reports that.
            self.assumeIsolated { shell in
                shell.handle(.chunkSent(chunk, wireBytes: wireBytes))
            }
        }
    }

    private func chunkFailed(_ chunk: Chunk, _ error: any Error) {
        let failure = error as? UploadFailure ?? .cannotProcess(error)
        handle(.chunkFailed(chunk, failure))
    }
}
