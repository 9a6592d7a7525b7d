import AgentKit
import Foundation
import TestSupport
import Testing

/// Tests of the lock that lets only one process work in a home.
@Suite struct AgentHomeTests {
    @Test func isBusyWhileLocked() async throws {
        try await withTemporaryDirectory { directory in
            let home = AgentHome(path: directory.path(percentEncoded: false))
            let lock = try home.lock()
            #expect(throws: AgentHomeError.self) { try home.lock() }
            #expect(home.isBusy)
            withExtendedLifetime(lock) {}
        }
    }

    /// A child process between fork and exec holds copies of all descriptors, including that of the lock file. When
    /// this process releases the lock, the lock must end although the child still has its copy.
    @Test func lockEndsDespiteOtherDescriptors() async throws {
        try await withTemporaryDirectory { directory in
            let home = AgentHome(path: directory.path(percentEncoded: false))
            let shared = try {
                let lock = try home.lock()
                return try withExtendedLifetime(lock) {
                    try SharedDescriptors(path: directory.appending(path: "lock").path(percentEncoded: false))
                }
            }()
            #expect(shared.count == 1)
            #expect(!home.isBusy)
        }
    }
}
