import NIOCore

/// The time limit of the phase that a connection is in.
struct PhaseTimer {
    private var task: Scheduled<Void>?

    /// Starts the time limit of a new phase, and cancels the limit of the phase before.
    mutating func start(_ limit: TimeAmount, _ context: ChannelHandlerContext, _ body: @escaping () -> Void) {
        task?.cancel()
        task = context.eventLoop.assumeIsolated().scheduleTask(in: limit, body)
    }

    mutating func stop() {
        task?.cancel()
        task = nil
    }
}
