//! Two real trees and a real socket.
