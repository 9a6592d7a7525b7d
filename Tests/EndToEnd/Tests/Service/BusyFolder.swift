import Foundation
import Glibc
import SeededRandom
import TestSupport
import TransferCommon

/// A watched folder in which programs write, append, rename, rotate, replace and delete files, as a seed decides. These
/// programs know nothing of the service, which may delete a file at any time.
struct BusyFolder {
    /// A failed system call that no action of the service explains.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let root: URL
    /// Files are written here before they are renamed into the folder.
    private let aside: URL
    private var generator: SeededGenerator
    private var fileCount = 0

    /// The last version of each file that no program has deleted.
    private(set) var versions: [String: SHA256Digest] = [:]

    /// The last versions of files that the service has deleted before a program could do something with them.
    private(set) var removed: Set<SHA256Digest> = []

    /// - Parameter name: the name of the folder in the site's directory.
    init(_ name: String, of site: Site, seed: UInt64) throws {
        root = site.directory.appending(path: name)
        aside = site.directory.appending(path: "aside-\(name)")
        generator = SeededGenerator(seed: seed)
        for directory in [aside, root, root.appending(path: "sub"), root.appending(path: "sub/deep")] {
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        }
    }

    // MARK: Steps

    /// Writes one new file, and often changes another one.
    mutating func step() async throws {
        fileCount += 1
        let directory = ["", "", "sub/", "sub/deep/"][draw(0...3)]
        let name = "\(directory)file-\(fileCount)"
        if draw(0...1) == 0 { try await write(name) } else { try moveIn(name) }
        switch draw(0...9) {
        case 0, 1: try await rotate("log-\(draw(0...2))")
        case 2: try await anyName { folder, name in try await folder.write(name) }
        case 3: try await anyName { folder, name in try folder.moveIn(name) }
        case 4, 5: try await anyName { folder, name in try folder.append(name) }
        case 6: try await anyName { folder, name in try folder.rename(name, to: name + "-renamed") }
        case 7: try await anyName { folder, name in try folder.delete(name) }
        default: break
        }
    }

    private mutating func anyName(_ body: (inout BusyFolder, String) async throws -> Void) async throws {
        // The order of a dictionary differs from run to run.
        guard let name = versions.keys.sorted().randomElement(using: &generator) else { return }
        try await body(&self, name)
    }

    private mutating func rotate(_ name: String) async throws {
        try rename(name + ".1", to: name + ".2")
        try rename(name, to: name + ".1")
        try await write(name)
    }

    /// Writes a file in two pieces, into a new one or over the content of the present one.
    private mutating func write(_ name: String) async throws {
        let content = drawContent()
        let file = try open(name, O_WRONLY | O_CREAT | O_TRUNC)
        defer { close(file) }
        try write(content.prefix(content.count / 2), to: file, name)
        // A program that writes slowly is what this imitates.
        try await Task.sleep(for: .milliseconds(draw(0...30)))
        try write(content.dropFirst(content.count / 2), to: file, name)
        versions[name] = try digest(of: file)
    }

    private mutating func append(_ name: String) throws {
        let more = generator.bytes(draw(1...5_000))
        guard let file = try openPresent(name, O_WRONLY | O_APPEND) else { return lost(name) }
        defer { close(file) }
        try write(more[...], to: file, name)
        versions[name] = try digest(of: file)
    }

    /// Replaces a file, or makes a new one, in one step.
    private mutating func moveIn(_ name: String) throws {
        let made = aside.appending(path: "made")
        try Data(drawContent()).write(to: made)
        let digest = try fileDigest(made)
        guard Foundation.rename(made.path(percentEncoded: false), path(name)) == 0 else {
            throw Failure(description: "rename to \(name): \(errno)")
        }
        versions[name] = digest
    }

    private mutating func rename(_ name: String, to other: String) throws {
        guard let version = versions[name] else { return }
        guard Foundation.rename(path(name), path(other)) == 0 else {
            guard errno == ENOENT else { throw Failure(description: "rename \(name): \(errno)") }
            return lost(name)
        }
        versions[name] = nil
        versions[other] = version
    }

    private mutating func delete(_ name: String) throws {
        guard unlink(path(name)) == 0 else {
            guard errno == ENOENT else { throw Failure(description: "unlink \(name): \(errno)") }
            return lost(name)
        }
        versions[name] = nil
    }

    /// The service has deleted the file.
    private mutating func lost(_ name: String) {
        if let version = versions.removeValue(forKey: name) { removed.insert(version) }
    }

    // MARK: Files

    func path(_ name: String) -> String { root.appending(path: name).path(percentEncoded: false) }

    private func open(_ name: String, _ flags: Int32) throws -> Int32 {
        let file = Glibc.open(path(name), flags | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw Failure(description: "open \(name): \(errno)") }
        return file
    }

    /// - Returns: `nil` if there is no such file.
    private func openPresent(_ name: String, _ flags: Int32) throws -> Int32? {
        let file = Glibc.open(path(name), flags | O_CLOEXEC)
        guard file >= 0 else {
            guard errno == ENOENT else { throw Failure(description: "open \(name): \(errno)") }
            return nil
        }
        return file
    }

    private func write(_ bytes: ArraySlice<UInt8>, to file: Int32, _ name: String) throws {
        let written = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
        guard written == bytes.count else { throw Failure(description: "write \(name): \(errno)") }
    }

    /// Reads what the open file holds, under whatever name it may have by now.
    private func digest(of file: Int32) throws -> SHA256Digest {
        try fileDigest(URL(filePath: "/proc/self/fd/\(file)"))
    }

    // MARK: Draws

    private mutating func draw(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }

    /// Mostly small files, some empty, a few of several parts.
    private mutating func drawContent() -> [UInt8] {
        let bytes: Int
        switch draw(0...99) {
        case 0..<5: bytes = 0
        case 5..<60: bytes = draw(1...20_000)
        case 60..<95: bytes = draw(20_000...300_000)
        default: bytes = draw(1_000_000...3_000_000)
        }
        return SeededFile(seed: generator.next(), byteCount: bytes).bytes
    }
}
