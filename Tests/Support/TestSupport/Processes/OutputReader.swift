import Foundation
import NIOCore
import NIOPosix

/// Reads one output of a child process into its record, line by line.
final class OutputReader: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = Never

    /// A pipe with its reading channel.
    struct Opened: Sendable {
        let channel: any Channel

        /// The writing end for the child. The caller must close it after the spawn, or the output never ends.
        let writingDescriptor: CInt
    }

    private let output: Program.Output
    private let record: Watched<ChildRecord>
    private let descriptor: CInt
    private var unfinishedLine: [UInt8] = []

    private init(output: Program.Output, record: Watched<ChildRecord>, descriptor: CInt) {
        self.output = output
        self.record = record
        self.descriptor = descriptor
    }

    static func open(_ output: Program.Output, record: Watched<ChildRecord>) async throws -> Opened {
        var descriptors: [CInt] = [-1, -1]
        guard pipe(&descriptors) == 0 else { throw SystemCallFailure("pipe") }
        for descriptor in descriptors {
            // Close on exec, so that other children cannot keep the output open.
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        }
        let descriptor = descriptors[0]
        let channel = try await NIOPipeBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        OutputReader(output: output, record: record, descriptor: descriptor))
                }
            }
            .takingOwnershipOfDescriptor(input: descriptor)
            .get()
        return Opened(channel: channel, writingDescriptor: descriptors[1])
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        take(unwrapInboundIn(data).readableBytesView)
    }

    /// Reads what the pipe still contains after the child's exit, because a busy event loop may not have read it yet.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if context.channel.isActive { take(rest(of: descriptor)) }
        context.close(mode: mode, promise: promise)
    }

    private func take(_ bytes: some Sequence<UInt8>) {
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                finishLine()
            } else {
                unfinishedLine.append(byte)
            }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !unfinishedLine.isEmpty { finishLine() }
        record.update { _ = $0.endedOutputs.insert(output) }
    }

    private func finishLine() {
        let text = String(decoding: unfinishedLine, as: UTF8.self)
        unfinishedLine.removeAll(keepingCapacity: true)
        record.update { $0.lines.append(Program.Line(index: $0.lines.count, output: output, text: text)) }
    }
}

/// The content of a pipe, at most 64 KiB (pipe(7)). A global function, because the class has another method `read`.
private func rest(of descriptor: CInt) -> some Sequence<UInt8> {
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = read(descriptor, &bytes, bytes.count)
    return bytes.prefix(max(0, count))
}
