package import NIOCore

/// Stops the listener from accepting connections for a moment after the system refused to accept one, usually for want
/// of a descriptor.
///
/// The peer keeps waiting in the queue of the system, so the listener stays readable. Without the pause, the event loop
/// would try again and again and serve its connections slowly. NIO's `AcceptBackoffHandler` does not help, because it
/// only delays reads: after the error the channel stays registered for reading.
package final class AcceptPause: ChannelInboundHandler {
    package typealias InboundIn = any Channel
    package typealias InboundOut = any Channel

    static let pause = TimeAmount.milliseconds(100)

    private let report: (any Error) -> Void
    private var isPausing = false

    /// - Parameter report: called with the error of each attempt that the system refused.
    package init(report: @escaping (any Error) -> Void) {
        self.report = report
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is IOError else { return context.fireErrorCaught(error) }
        report(error)
        guard !isPausing else { return }
        isPausing = true
        Self.setReading(false, context)
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.pause) {
            self.isPausing = false
            Self.setReading(true, context)
        }
    }

    private static func setReading(_ isOn: Bool, _ context: ChannelHandlerContext) {
        // try?: this fails only if the channel is closed, and then it accepts nothing more.
        try? context.channel.syncOptions?.setOption(.autoRead, value: isOn)
    }
}
