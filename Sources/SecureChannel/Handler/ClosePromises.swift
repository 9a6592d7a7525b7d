import NIOCore

/// The promises of calls to `close`, kept until the handler passes the call on to the channel.
///
/// A class, because completing a promise may call the handler, which then changes this object.
final class ClosePromises {
    private var output: EventLoopPromise<Void>?
    private var channel: EventLoopPromise<Void>?

    /// Stores the promise of `close(mode: .output)`, to be fulfilled later.
    func waitForOutput(_ promise: EventLoopPromise<Void>?) {
        output = promise
    }

    /// Keeps the promise of `close()`. The promise of a repeated call is completed together with the first one.
    func waitForChannel(_ promise: EventLoopPromise<Void>?) {
        if let channel, let promise {
            channel.futureResult.cascade(to: promise)
        } else {
            channel = channel ?? promise
        }
    }

    /// Removes and returns the promise of `close(mode: .output)`.
    func takeOutput() -> EventLoopPromise<Void>? {
        defer { output = nil }
        return output
    }

    /// Removes and returns the promise of `close()`.
    func takeChannel() -> EventLoopPromise<Void>? {
        defer { channel = nil }
        return channel
    }
}
