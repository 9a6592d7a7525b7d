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

        fileprivate let reader: NIOLoopBound<OutputReader>
        fileprivate let readingDescriptor: CInt

        /// Ends the reading after the child's end, with all that it wrote. On the channel's event loop.
        func close() {
            if channel.isActive { reader.value.readTheRest(of: readingDescriptor) }
            channel.close(promise: nil)
        }
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
        let reader = try await channel.eventLoop.submit {
            NIOLoopBound(
                try channel.pipeline.syncOperations.handler(type: OutputReader.self), eventLoop: channel.eventLoop)
        }.get()
        return Opened(
            channel: channel, writingDescriptor: descriptors[1], reader: reader, readingDescriptor: descriptors[0])
    }

    /// As much as a pipe may hold, see pipe(7).
    private static let pipeBytesMax = 1 << 16

    /// A busy event loop may not have come to read what lies in the pipe.
    private func readTheRest(of descriptor: CInt) {
        var rest = [UInt8](repeating: 0, count: Self.pipeBytesMax)
        let count = read(descriptor, &rest, rest.count)
        if count > 0 { take(rest[..<count]) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        take(unwrapInboundIn(data).readableBytesView)
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
