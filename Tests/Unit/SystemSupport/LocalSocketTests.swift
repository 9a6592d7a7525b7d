import Foundation
import Glibc
import SystemSupport
import TestSupport
import Testing

/// Tests of sockets with a place in the file system.
@Suite(.timeLimit(.minutes(1))) struct LocalSocketTests {
    /// The mode must not depend on the umask, and must hold before another user can connect.
    @Test func socketIsForItsOwnerAlone() async {
        await #expect(processExitsWith: .success) {
            try await withTemporaryDirectory { directory in
                umask(0)
                let path = directory.appending(path: "s").path(percentEncoded: false)
                let socket = try LocalSocket.bound(to: path)
                defer { close(socket) }
                let attributes = try FileManager.default.attributesOfItem(atPath: path)
                try #require(attributes[.posixPermissions] as? Int == 0o600)
            }
        }
    }

    /// The second path does not fit into the address of a socket.
    @Test(arguments: ["s", String(repeating: "d", count: 120) + "/s"])
    func listeningSocketIsServed(name: String) async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending(path: name).path(percentEncoded: false)
            try FileManager.default.createDirectory(
                atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            #expect(!LocalSocket.isServed(at: path))
            let socket = try LocalSocket.bound(to: path)
            defer { close(socket) }
            #expect(!LocalSocket.isServed(at: path), "A socket that does not listen is not served.")
            #expect(listen(socket, 8) == 0)
            #expect(LocalSocket.isServed(at: path))
            close(try LocalSocket.connected(to: path))
        }
    }

    @Test func socketThatAProcessLeftBehindIsReplaced() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending(path: "s").path(percentEncoded: false)
            close(try LocalSocket.bound(to: path))
            let error = #expect(throws: LocalSocketError.self) { try LocalSocket.connected(to: path) }
            #expect(error?.isUnserved == true)
            close(try LocalSocket.bound(to: path))
            try LocalSocket.remove(path)
            try LocalSocket.remove(path)
            #expect(!FileManager.default.fileExists(atPath: path))
        }
    }

    @Test func fileThatIsNoSocketStays() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending(path: "s").path(percentEncoded: false)
            try Data("text".utf8).write(to: URL(filePath: path))
            let error = #expect(throws: LocalSocketError.self) { try LocalSocket.bound(to: path) }
            #expect(error?.cause == .occupied)
            #expect(try Data(contentsOf: URL(filePath: path)) == Data("text".utf8))
        }
    }

    @Test func missingSocketIsUnserved() async throws {
        try await withTemporaryDirectory { directory in
            for name in ["s", "missing/s"] {
                let path = directory.appending(path: name).path(percentEncoded: false)
                let error = #expect(throws: LocalSocketError.self) { try LocalSocket.connected(to: path) }
                #expect(error?.isUnserved == true, "\(name)")
            }
        }
    }
}
