import Foundation

/// Runs another program to its end, for comparing with what the rest of the world computes.
enum Program {
    struct Failure: Error {
        let arguments: [String]
        let status: Int32
        let errors: String
    }

    static func exists(_ name: String) -> Bool {
        let directories = ProcessInfo.processInfo.environment["PATH", default: ""].split(separator: ":")
        return directories.contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(name)") }
    }

    /// - Parameters:
    ///   - arguments: the program's name, looked up in the search path, and its arguments.
    ///   - input: at most what a pipe holds (64 KiB).
    /// - Returns: what it wrote to its standard output.
    static func run(_ arguments: String..., input: [UInt8] = []) throws -> [UInt8] {
        try run(arguments, input: input)
    }

    static func run(_ arguments: [String], input: [UInt8] = []) throws -> [UInt8] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        let (standardInput, standardOutput, standardError) = (Pipe(), Pipe(), Pipe())
        process.standardInput = standardInput
        process.standardOutput = standardOutput
        process.standardError = standardError
        try process.run()
        try standardInput.fileHandleForWriting.write(contentsOf: Data(input))
        try standardInput.fileHandleForWriting.close()
        let output = try standardOutput.fileHandleForReading.readToEnd() ?? Data()
        let errors = try standardError.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(
                arguments: arguments, status: process.terminationStatus, errors: String(decoding: errors, as: UTF8.self)
            )
        }
        return Array(output)
    }
}
