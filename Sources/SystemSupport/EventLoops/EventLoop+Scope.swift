package import NIOCore
import NIOPosix

/// Calls `body` with a new event loop, and shuts the loop down when `body` returns or throws.
package func withEventLoop<Success: Sendable>(_ body: (any EventLoop) async throws -> Success) async throws -> Success {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let result: Result<Success, any Error>
    do {
        result = .success(try await body(group.next()))
    } catch {
        result = .failure(error)
    }
    try await group.end()
    return try result.get()
}
