import AgentKit
import Foundation
import TestSupport
import Testing
import TransferCore

/// Tests of finding the files of a push and deriving their keys.
@Suite
struct FileWalkTests {
    private func walk(_ path: URL...) -> [FileWalk.Found] {
        Array(FileWalk(paths: path.map { $0.path(percentEncoded: false) }))
    }

    @Test func listsFilesInOrderWithRelativePaths() async throws {
        try await withTree(["b", "a/2", "a/1", ".hidden", "a.txt"]) { root in
            #expect(walk(root).map(\.key) == [".hidden", "a/1", "a/2", "a.txt", "b"])
            #expect(walk(root).allSatisfy { $0.failure == nil })
        }
    }

    @Test func namedFileHasItsOwnName() async throws {
        try await withTree(["a/file"]) { root in
            #expect(walk(root.appending(path: "a/file")).map(\.key) == ["file"])
        }
    }

    /// Special files are not sent. The walk counts those that its filter would let pass, so that the user learns of
    /// them.
    @Test func specialFilesAreCounted() async throws {
        try await withTree(["a/file"]) { root in
            for name in ["a/pipe", "pipe", "skipped.tmp"] {
                try #require(mkfifo(root.appending(path: name).path(percentEncoded: false), 0o600) == 0)
            }
            try FileManager.default.createSymbolicLink(
                at: root.appending(path: "link"), withDestinationURL: root.appending(path: "pipe"))
            let path = root.path(percentEncoded: false)
            var walk = FileWalk(paths: [path], filter: FileFilter(included: [], excluded: ["*.tmp"]))
            var keys: [String] = []
            while let found = walk.next() { keys.append(found.key) }
            #expect(keys == ["a/file"])
            #expect(walk.specialFiles.sentence == "left out: 2 FIFOs, 1 symbolic link")
            #expect(walk.specialFiles.paths.map { $0.hasSuffix("/a/pipe") } == [true, false, false])
            var mixed = walk.specialFiles
            mixed.add(.socket, path: "s")
            #expect(mixed.sentence == "left out: 2 FIFOs, 1 socket, 1 symbolic link" && mixed.count == 4)
            #expect(SpecialFiles().sentence == nil)
            mixed.add(.device, path: "\\xff", bytes: [0xFF])
            #expect(mixed.pathBytes == [4: [0xFF]])
        }
    }

    @Test func doesNotFollowLinksBelowADirectory() async throws {
        try await withTree(["file"]) { root in
            try FileManager.default.createSymbolicLink(at: root.appending(path: "loop"), withDestinationURL: root)
            try FileManager.default.createSymbolicLink(
                at: root.appending(path: "link"), withDestinationURL: root.appending(path: "file"))
            #expect(walk(root).map(\.key) == ["file"])
            #expect(walk(root.appending(path: "link")).map(\.key) == ["link"])
        }
    }

    /// The walk keeps at most `namesMax` names of one directory in memory at once.
    @Test(arguments: [1, 3, 20, 100], [false, true])
    func largeDirectoryIsReadInRuns(namesMax: Int, isInterrupted: Bool) async throws {
        let names = (0..<20).map { "file-\($0)" } + (0..<3).map { "folder/\($0)" }
        try await withTree(names) { root in
            var walk = FileWalk(paths: [root.path(percentEncoded: false)])
            walk.namesMax = namesMax
            let calls = Watched(0)
            var keys: [String] = []
            if isInterrupted {
                walk.isInterrupted = {
                    calls.update { count in
                        count += 1
                        return count % 3 == 0
                    }
                }
            }
            while walk.hasMore {
                while let found = walk.next() {
                    #expect(found.failure == nil)
                    keys.append(found.key)
                }
            }
            #expect(keys.sorted() == names.sorted())
        }
    }

    @Test func waitsForDescriptor() async {
        await #expect(processExitsWith: .success) {
            try await withTree(["a/b/1", "a/b/2", "c"]) { root in
                var walk = FileWalk(paths: [root.path(percentEncoded: false)])
                walk.waitsForDescriptor = true
                var keys: [String] = []
                var waits = 0
                // The walk needs one descriptor more for each directory that it enters, and one more for its listing.
                for count in 0..<20 {
                    try withDescriptors(count) {
                        while let found = walk.next() {
                            try #require(found.failure == nil)
                            keys.append(found.key)
                        }
                    }
                    if !walk.lacksDescriptor { break }
                    waits += 1
                }
                try #require(keys == ["a/b/1", "a/b/2", "c"])
                try #require(waits >= 3)
            }
        }
    }

    @Test func refusesDirectoryWithoutDescriptor() async {
        await #expect(processExitsWith: .success) {
            try await withTree(["a/1"]) { root in
                var walk = FileWalk(paths: [root.path(percentEncoded: false)])
                let found = try withDescriptors(0) { walk.next() }
                try #require(found?.failure?.kind == .tooManyOpenFiles)
            }
        }
    }

    @Test func reportsMissingAndSpecialFiles() async throws {
        try await withTree(["file"]) { root in
            #expect(walk(root.appending(path: "absent")).map(\.failure?.kind) == [.missing])
            #expect(walk(URL(filePath: "/dev/null")).map(\.failure?.kind) == [.unreadable])
        }
    }

    /// Foundation cannot make a file whose name is not UTF-8.
    private func make(_ name: [UInt8], in root: URL) -> [CChar] {
        let path = (root.path(percentEncoded: false).utf8 + [UInt8(ascii: "/")] + name + [0]).map {
            CChar(bitPattern: $0)
        }
        close(creat(path, 0o600))
        return path
    }

    @Test func reportsNonUTF8Names() async throws {
        try await withTree(["file"]) { root in
            let names: [[UInt8]] = [[0xFF, 0xFE], [0x61, 0xFF], [0x62, 0xFF], Array("c.tmp".utf8) + [0xFF]]
            let paths = names.map { make($0, in: root) }
            let folder = (root.path(percentEncoded: false).utf8 + [UInt8(ascii: "/"), 0xFD, 0]).map {
                CChar(bitPattern: $0)
            }
            mkdir(folder, 0o700)
            let filter = FileFilter(excluded: ["*.tmp*"])
            let found = Array(FileWalk(paths: [root.path(percentEncoded: false)], filter: filter))
            for path in paths { unlink(path) }
            rmdir(folder)
            let told = found.filter { $0.failure != nil }
            #expect(told.map { $0.path.split(separator: "/").last } == ["a\\xff", "b\\xff", "\\xfd", "\\xff\\xfe"])
            let start = Array(root.path(percentEncoded: false).utf8) + [UInt8(ascii: "/")]
            let bytes: [[UInt8]] = [[0x61, 0xFF], [0x62, 0xFF], [0xFD], [0xFF, 0xFE]]
            #expect(told.map { $0.failure?.pathBytes } == bytes.map { start + $0 })
            #expect(told.allSatisfy { $0.failure?.kind == .unreadable })
            #expect(
                found.compactMap(\.location) == [FileLocation(root: root.path(percentEncoded: false), below: "file")])
        }
    }

    /// A slash and a following combining mark form one `Character`, but file systems and stores see two.
    @Test func splitsNamesAsBytes() async throws {
        let mark = "\u{301}x"
        try await withTree(["\(mark)/\(mark)"]) { root in
            #expect(walk(root).map { Array($0.key.utf8) } == [Array("\(mark)/\(mark)".utf8)])
            let named = FileWalk(paths: ["\(root.path(percentEncoded: false))/\(mark)/\(mark)"])
            #expect(Array(named).map { Array($0.key.utf8) } == [Array(mark.utf8)])
            for (pattern, count) in [("\(mark)/*", 0), ("\(mark)", 0), ("x/*", 1)] {
                let filter = FileFilter(excluded: [pattern])
                let found = Array(FileWalk(paths: [root.path(percentEncoded: false)], filter: filter))
                #expect(found.count == count, "\(pattern)")
            }
        }
    }

    @Test func distinguishesUnicodeSpellings() async throws {
        try await withTree(["\u{E9}", "e\u{301}"]) { root in
            let keys = walk(root).map { Array($0.key.utf8) }
            #expect(keys == [Array("e\u{301}".utf8), Array("\u{E9}".utf8)])
            let roots = [root.appending(path: "e\u{301}"), root.appending(path: "\u{E9}")]
            #expect(roots.flatMap { walk($0) }.allSatisfy { $0.failure == nil })
        }
    }

    // MARK: The agent's home

    @Test func leavesOutTheAgentsHome() async throws {
        try await withTree(["a", "home/identity.key", "home/below/x", "z"]) { root in
            let home = root.appending(path: "home").path(percentEncoded: false)
            let link = root.appending(path: "link")
            try FileManager.default.createSymbolicLink(atPath: link.path, withDestinationPath: home)
            func walk(_ paths: String...) -> [FileWalk.Found] {
                Array(FileWalk(paths: paths, home: FileIdentity(of: home)))
            }
            let found = walk(root.path(percentEncoded: false))
            #expect(found.map(\.key) == ["a", "home", "z"])
            #expect(found.map { $0.finding == .home } == [false, true, false])
            for path in [home, home + "/identity.key", home + "/below", home + "/below/x", home + "/.", link.path] {
                #expect(walk(path).map(\.failure?.kind) == [.unreadable], "\(path)")
            }
            #expect(walk(root.appending(path: "a").path).map(\.failure) == [nil])
        }
    }

    // MARK: Several files with one key

    @Test func refusesFilesThatShareAKey() async throws {
        try await withTree(["1/x", "1/y", "1/d/z", "2/x", "2/d/z", "2/d/w", "3/y/below", "named/y", "1/t.tmp"]) {
            root in
            let roots = ["1", "2", "3", "named/y"].map { root.appending(path: $0).path(percentEncoded: false) }
            let found = Array(FileWalk(paths: roots, filter: FileFilter(excluded: ["*.tmp"])))
            let refused = found.filter { $0.failure != nil }
            #expect(
                refused.map { String($0.path.dropFirst(root.path.count + 1)) } == [
                    "1/d/z", "1/x", "1/y", "2/d/z", "2/x", "named/y",
                ])
            #expect(refused.allSatisfy { $0.failure?.kind == .keyInvalid })
            #expect(found.filter { $0.failure == nil }.map(\.key) == ["d/w", "y/below"])
        }
    }

    @Test func skippedFilesReserveNoKey() async throws {
        try await withTree(["1/x", "1/d/y", "2/z", "elsewhere/y"]) { root in
            let manager = FileManager.default
            try manager.createSymbolicLink(
                at: root.appending(path: "2/x"), withDestinationURL: root.appending(path: "1/x"))
            try manager.createSymbolicLink(
                at: root.appending(path: "2/d"), withDestinationURL: root.appending(path: "elsewhere"))
            let found = walk(root.appending(path: "1"), root.appending(path: "2"))
            #expect(found.map(\.key) == ["d/y", "x", "z"])
            #expect(found.allSatisfy { $0.failure == nil })
        }
    }

    @Test func repeatedPathIsWalkedOnce() async throws {
        try await withTree(["1/x"]) { root in
            let (folder, file) = (root.appending(path: "1"), root.appending(path: "1/x"))
            #expect(walk(folder, folder, root.appending(path: "1/.")).map(\.failure) == [nil])
            #expect(walk(file, file).map(\.failure) == [nil])
            #expect(walk(folder, file).map(\.failure?.kind) == [.keyInvalid, .keyInvalid])
        }
    }

    // MARK: Links that appear after the walk

    /// A followed link would let a user who may write in the directory send files of other users.
    @Test(arguments: ["d/e/file", "d/e", "d"]) func linkInPlaceOfFileIsNotFollowed(place: String) async throws {
        try await withTree(["tree/d/e/file", "secret/e/file", "secret/file"]) { root in
            let found = walk(root.appending(path: "tree"))
            let location = try #require(found.first?.location)
            _ = try SourceFile.open(location)
            let path = root.appending(path: "tree/\(place)")
            try FileManager.default.removeItem(at: path)
            let target = ["d/e/file": "secret/file", "d/e": "secret", "d": "secret"][place] ?? ""
            try FileManager.default.createSymbolicLink(at: path, withDestinationURL: root.appending(path: target))
            let failure = #expect(throws: UploadFailure.self) { _ = try SourceFile.open(location) }
            #expect(failure?.kind == .unreadable)
            #expect(failure?.message.contains("symbolic link") == true)
        }
    }
}

extension FileWalk.Found {
    fileprivate var location: FileLocation? {
        if case .file(let location) = finding { location } else { nil }
    }
}

/// Calls `body` while the process can open only this number of further files.
private func withDescriptors<Result>(_ count: Int, _ body: () throws -> Result) throws -> Result {
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var usual = rlimit()
    try #require(getrlimit(resource, &usual) == 0)
    // The limit bounds the number of a new descriptor, and the system gives the lowest free number. So occupy all free
    // numbers below the highest one.
    var occupied: [Int32] = []
    let numbers = try FileManager.default.contentsOfDirectory(atPath: "/dev/fd").compactMap { Int32($0) }
    let highest = try #require(numbers.max())
    while (occupied.last ?? -1) < highest { occupied.append(open("/dev/null", O_RDONLY)) }
    var low = rlimit(rlim_cur: rlim_t((occupied.last ?? 0) + 1) + rlim_t(count), rlim_max: usual.rlim_max)
    try #require(setrlimit(resource, &low) == 0)
    defer {
        setrlimit(resource, &usual)
        for descriptor in occupied { close(descriptor) }
    }
    return try body()
}
