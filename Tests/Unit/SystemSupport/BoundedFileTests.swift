import CryptographySupport
import Foundation
import Glibc
import SystemSupport
import TestSupport
import Testing

@Suite struct BoundedFileTests {
    @Test func lengthLimitIsInclusive() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let path = directory.file("list")
            try write("12345", to: path)
            #expect(try BoundedFile.read(path, bytesMax: 5, access: .anyone) == Array("12345".utf8))
            #expect(throws: FileError(path: path, cause: .tooLong(bytesMax: 4))) {
                try BoundedFile.read(path, bytesMax: 4, access: .anyone)
            }
        }
    }

    @Test func anEmptyFileHasNoBytes() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            try write("", to: directory.file("list"))
            #expect(try BoundedFile.read(directory.file("list"), bytesMax: 0, access: .anyone) == [])
        }
    }

    @Test func theModeOfALinksTargetDecides() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let target = directory.file("target")
            try write("secret", to: target)
            try FileManager.default.createSymbolicLink(atPath: directory.file("link"), withDestinationPath: target)
            try setMode(0o640, of: target)
            #expect(throws: FileError(path: directory.file("link"), cause: .openToOthers(mode: 0o640))) {
                try BoundedFile.read(directory.file("link"), bytesMax: 100, access: .ownerOnly)
            }
            try setMode(0o600, of: target)
            #expect(try BoundedFile.read(directory.file("link"), bytesMax: 100, access: .ownerOnly).count == 6)
        }
    }

    /// A user who may write a device list decides which devices the gateway accepts. So a file is refused if other
    /// users than its owner may write it.
    @Test(arguments: [
        (0o600, true), (0o640, true), (0o644, true), (0o444, true), (0o620, false), (0o602, false), (0o664, false),
        (0o666, false), (0o777, false),
    ])
    func onlyTheOwnerMayWrite(permissions: Int, isRead: Bool) async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.file("devices")
            try write("list", to: path)
            try setMode(permissions, of: path)
            if isRead {
                #expect(try BoundedFile.read(path, bytesMax: 4, access: .ownerWrites).count == 4)
            } else {
                let refusal = FileError(path: path, cause: .writableByOthers(mode: UInt32(permissions)))
                #expect(throws: refusal) { try BoundedFile.read(path, bytesMax: 4, access: .ownerWrites) }
                #expect(!refusal.isOfSystem)
                #expect(refusal.description.contains("chmod go-w"))
            }
        }
    }

    /// Needs root, which may give files to other users.
    @Test(.enabled(if: geteuid() == 0)) func fileOfAnotherUserIsRefused() async {
        await #expect(processExitsWith: .success) {
            try await withTemporaryDirectory { directory in
                try setMode(0o711, of: directory.directoryPath)
                let (roots, mine, other) = (directory.file("roots"), directory.file("mine"), directory.file("other"))
                for (path, owner) in [(roots, 0), (mine, 65_534), (other, 65_533)] {
                    try write("list", to: path)
                    try setMode(0o644, of: path)
                    try #require(chown(path, uid_t(owner), 0) == 0)
                    // Root reads files of other users, because an administrator works in the homes of services.
                    _ = try BoundedFile.read(path, bytesMax: 4, access: .ownerWrites)
                }
                try #require(seteuid(65_534) == 0)
                defer { seteuid(0) }
                _ = try BoundedFile.read(roots, bytesMax: 4, access: .ownerWrites)
                _ = try BoundedFile.read(mine, bytesMax: 4, access: .ownerWrites)
                try #require(throws: FileError(path: other, cause: .belongsToOther(owner: 65_533))) {
                    try BoundedFile.read(other, bytesMax: 4, access: .ownerWrites)
                }
            }
        }
    }

    /// Opening a pipe without a writer would block the process.
    @Test(.timeLimit(.minutes(5))) func specialFilesAreRefusedWithoutWaiting() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let pipe = directory.file("pipe")
            try #require(mkfifo(pipe, 0o600) == 0)
            for path in [pipe, directory.directoryPath, "/dev/zero"] {
                #expect(throws: FileError(path: path, cause: .notRegularFile)) {
                    try BoundedFile.read(path, bytesMax: 100, access: .anyone)
                }
            }
        }
    }

    @Test func missingFileHasItsOwnError() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let error = #expect(throws: FileError.self) {
                try BoundedFile.read(directory.file("list"), bytesMax: 100, access: .anyone)
            }
            #expect(error?.isMissing == true)
        }
    }
}
