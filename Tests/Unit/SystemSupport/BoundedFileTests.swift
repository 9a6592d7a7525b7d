import CryptographySupport
import Foundation
import SecureChannel
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
