import NIOCore

/// The time limit of the phase that a connection is in.
struct PhaseTimer {
    private var task: Scheduled<Void>?

    /// Starts the time of a phase, in place of the one before.
    mutating func start(_ limit: TimeAmount, _ context: ChannelHandlerContext, _ body: @escaping () -> Void) {
        task?.cancel()
        task = context.eventLoop.assumeIsolated().scheduleTask(in: limit, body)
    }

    mutating func stop() {
        task?.cancel()
        task = nil
    }
}
