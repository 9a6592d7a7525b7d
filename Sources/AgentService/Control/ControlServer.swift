package import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import SystemSupport

/// The limits of the control socket.
package struct ControlLimits: Sendable {
    /// Connections at a time. A further one is closed at once.
    package var connectionsMax = 64
    /// Bytes of a request's body.
    package var bodyBytesMax = 64 << 10
    /// Bytes of everything before the body.
    package var headBytesMax = 16 << 10
    /// How long a client may take to send its request, and to take the answer.
    package var patience = TimeAmount.seconds(10)

    package init() {}
}

/// Serves the commands that talk to a running service, by HTTP on a socket that only the owner of the home may use.
///
/// A connection carries one request.
package final class ControlServer: Sendable {
    private let path: String
    private let listener: any Channel
    private let connections: Connections

    private init(_ path: String, _ listener: any Channel, _ connections: Connections) {
        self.path = path
        self.listener = listener
        self.connections = connections
    }

    /// Begins to serve. The caller holds the lock of the home, so that no other process serves the same socket.
    ///
    /// - Parameters:
    ///   - path: the place of the socket; a socket that an earlier process has left there is replaced.
    ///   - group: event loops of NIOPosix.
    package static func start(
        at path: String, service: any ServiceControl, group: any EventLoopGroup, limits: ControlLimits = ControlLimits()
    ) async throws -> ControlServer {
        let connections = Connections(max: limits.connectionsMax)
        let descriptor = try LocalSocket.bound(to: path)
        let listener = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 64)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    // The client waits, and the next attempt to accept it follows soon.
                    try channel.pipeline.syncOperations.addHandler(AcceptPause { _ in })
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard connections.admit(channel) else { throw ChannelError.ioOnClosedChannel }
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(ControlIntake(bytesMax: limits.headBytesMax + limits.bodyBytesMax))
                    // NIO's assistance for pipelining stops reading while an answer is due, so a client that closes
                    // would not be noticed.
                    try pipeline.configureHTTPServerPipeline(
                        withPipeliningAssistance: false, withErrorHandling: true)
                    try pipeline.addHandler(ControlConnection(service, limits))
                }
            }
            .withBoundSocket(descriptor).get()
        return ControlServer(path, listener, connections)
    }

    /// Removes the socket and closes every connection. A request that has no answer yet gets none.
    package func stop() async {
        do {
            try LocalSocket.remove(path)
        } catch {
            // A socket that is left behind is replaced at the next start.
        }
        for channel in [listener] + connections.stop() {
            // try?: this fails only if the channel is closed already.
            try? await channel.close()
        }
    }

    /// The open connections. Each is admitted once, and leaves when it closes.
    private final class Connections: Sendable {
        private struct State {
            var open: [ObjectIdentifier: any Channel] = [:]
            var isStopped = false
        }

        private let max: Int
        private let state = Mutex(State())

        init(max: Int) {
            self.max = max
        }

        /// - Returns: whether the connection may stay.
        func admit(_ channel: any Channel) -> Bool {
            let isAdmitted = state.withLock { state in
                guard !state.isStopped, state.open.count < max else { return false }
                state.open[ObjectIdentifier(channel)] = channel
                return true
            }
            guard isAdmitted else { return false }
            channel.closeFuture.whenComplete { _ in
                self.state.withLock { $0.open[ObjectIdentifier(channel)] = nil }
            }
            return true
        }

        /// - Returns: the connections that are still open. No further one is admitted.
        func stop() -> [any Channel] {
            state.withLock { state in
                state.isStopped = true
                return Array(state.open.values)
            }
        }
    }
}
