import AgentKit
import Foundation
import TestSupport
import Testing

/// One process at a time works in a home.
@Suite struct AgentHomeTests {
    @Test func isBusyWhileOneHasIt() async throws {
        try await withTemporaryDirectory { directory in
            let home = AgentHome(path: directory.path(percentEncoded: false))
            let lock = try home.lock()
            #expect(throws: AgentHomeError.self) { try home.lock() }
            #expect(home.isBusy)
            withExtendedLifetime(lock) {}
        }
    }

    /// A program that is started meanwhile has the lock's file open until it runs.
    @Test func itsLockEndsWhoeverElseHasTheFileOpen() async throws {
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
