import Foundation
import NIOCore
import NIOPosix

/// Reads one output of a child process into its record, line by line.
final class OutputReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// A pipe that is being read.
    struct Opened: Sendable {
        let channel: any Channel

        /// For the child; whoever hands it over closes it afterwards, or the output never ends.
        let writingDescriptor: CInt
    }

    private let output: Program.Output
    private let record: Watched<ChildRecord>
    private var unfinishedLine: [UInt8] = []

    private init(output: Program.Output, record: Watched<ChildRecord>) {
        self.output = output
        self.record = record
    }

    static func open(_ output: Program.Output, record: Watched<ChildRecord>) async throws -> Opened {
        var descriptors: [CInt] = [-1, -1]
        guard pipe(&descriptors) == 0 else { throw SystemCallFailure("pipe") }
        for descriptor in descriptors {
            // So that a child that others start cannot keep the output open.
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        }
        let channel = try await NIOPipeBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(OutputReader(output: output, record: record))
                }
            }
            .takingOwnershipOfDescriptor(input: descriptors[0])
            .get()
        return Opened(channel: channel, writingDescriptor: descriptors[1])
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        for byte in unwrapInboundIn(data).readableBytesView {
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
