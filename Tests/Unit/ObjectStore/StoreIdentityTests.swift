import Foundation
import ObjectStore
import SystemSupport
import Testing
import TransferCommon

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The identity that a directory keeps (specification §11.3).
@Suite struct StoreIdentityTests {
    private static let file = ".sluice/identity"

    @Test func aDirectoryKeepsItsIdentity() async throws {
        try await withTestDirectory { directory in
            let first = try await directory.open()
            let bytes = try directory.read(Self.file)
            let second = try await directory.open()
            #expect(first.identity == second.identity)
            try await first.close()
            try await second.close()
            #expect(try await directory.open().identity == first.identity)
            #expect(try directory.read(Self.file) == bytes)
            #expect(try directory.files(below: ".sluice/staging").isEmpty)
        }
    }

    @Test func twoDirectoriesAreTwoStores() async throws {
        let identities = try await (
            withTestStore { store, _ in store.identity }, withTestStore { store, _ in store.identity }
        )
        #expect(identities.0 != identities.1)
    }

    /// The file in the directory contains the same hexadecimal digits that a receipt shows.
    @Test func theFileShowsTheIdentity() async throws {
        try await withTestStore { store, directory in
            let words = String(decoding: try directory.read(Self.file), as: UTF8.self).split(separator: " ")
            #expect(words.count == 3 && words[1] == "\(store.identity)")
        }
    }

    @Test(arguments: 1...5) func gatewaysThatStartTogetherAgree(attempt: Int) async throws {
        try await withTestDirectory { directory in
            let identities = try await withThrowingTaskGroup(of: StoreIdentity.self) { group in
                for _ in 0..<8 { group.addTask { try await directory.open().identity } }
                return try await group.reduce(into: Set<StoreIdentity>()) { $0.insert($1) }
            }
            #expect(identities.count == 1)
        }
    }

    /// The store must not take the content of a damaged file for another identity.
    @Test func aDamagedFileIsRefusedAndKept() async throws {
        try await withTestDirectory { directory in
            try await directory.open().close()
            let bytes = try directory.read(Self.file)
            var damaged = bytes.indices.map { place in
                var changed = bytes
                changed[place] ^= 1
                return changed
            }
            damaged += [[], Array(bytes.dropLast()), bytes + [0], [UInt8](repeating: 0, count: bytes.count)]
            for content in damaged {
                try directory.write(content, to: Self.file)
                let error = await expectError(.damaged) { try await directory.open() }
                #expect(error?.sentence.contains(Self.file) == true)
                #expect(try directory.read(Self.file) == content)
                // The gateway that failed to start has removed its own files.
                #expect(try directory.files(below: ".sluice/instances").isEmpty)
            }
        }
    }

    @Test func nonFilesAreRefused() async throws {
        try await withTestDirectory { directory in
            try await directory.open().close()
            try FileManager.default.removeItem(atPath: directory.path(Self.file))
            try FileManager.default.createSymbolicLink(
                atPath: directory.path(Self.file), withDestinationPath: "/dev/zero")
            await expectError(.damaged) { try await directory.open() }
            try FileManager.default.removeItem(atPath: directory.path(Self.file))
            try FileManager.default.createDirectory(
                atPath: directory.path(Self.file), withIntermediateDirectories: false)
            await expectError(.damaged) { try await directory.open() }
        }
    }

    /// The bytes of the identity are durable before its name, and the name is durable before any gateway reports the
    /// identity.
    @Test func isDurableBeforeUse() async throws {
        try await withTestDirectory { directory in
            let faults = FileFaults()
            let store = try await directory.open(faults)
            let calls = faults.calls
            let named = try #require(calls.firstIndex { $0.target == directory.path(Self.file) })
            let staged = calls[named].path
            #expect(calls[..<named].contains { $0.operation == .syncFile && $0.path == staged })
            #expect(calls[named...].contains { $0.operation == .syncFolder && $0.path == directory.path(".sluice") })
            try await store.close()
            // A gateway that finds an identity syncs it too, because the gateway that wrote the identity may have ended
            // before it could sync it.
            faults.clear()
            _ = try await directory.open(faults)
            let read = try #require(
                faults.calls.lastIndex { $0.operation == .read && $0.path == directory.path(Self.file) })
            #expect(
                faults.calls[read...].contains {
                    $0.operation == .syncFolder && $0.path == directory.path(".sluice")
                })
        }
    }

    @Test func fallsBackToLinks() async throws {
        try await withTestDirectory { directory in
            let faults = FileFaults()
            faults.set { call, _ in call.operation == .renameIfAbsent ? EINVAL : 0 }
            let store = try await directory.open(faults)
            #expect(faults.calls.contains { $0.operation == .link && $0.target == directory.path(Self.file) })
            #expect(try directory.files(below: ".sluice/staging").isEmpty)
            #expect(try await directory.open().identity == store.identity)
        }
    }

    /// During the first start, the process ends at each call in turn. The next start finds an identity or makes one,
    /// and keeps it.
    @Test(.timeLimit(.minutes(5))) func survivesACrashWhileItIsMade() async throws {
        var crashes = 0
        var isFinished = false
        while !isFinished {
            let limit = crashes
            try await withTestDirectory { directory in
                let faults = FileFaults()
                faults.set { _, changes in changes < limit ? 0 : EIO }
                do {
                    _ = try await directory.open(faults)
                    isFinished = true
                } catch is StoreError {}
                faults.clear()
                let store = try await directory.open()
                #expect(try await directory.open().identity == store.identity, "call \(limit)")
            }
            crashes += 1
        }
        #expect(crashes > 5)
    }
}
